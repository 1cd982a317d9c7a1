"""The integrations wire: keys of outside providers, connected, listed and used."""
