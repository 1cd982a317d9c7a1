"""What the auth wire says."""
