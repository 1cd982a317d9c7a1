"""Requests to the outside world: one client that connects to nothing it has not checked."""
