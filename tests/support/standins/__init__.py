"""Stand-ins for providers: servers on loopback that keep state."""
