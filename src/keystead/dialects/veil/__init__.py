"""The ``veil`` dialect: the API that VPN bots speak with a Bearer secret and one shared port."""
