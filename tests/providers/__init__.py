"""Tests of providers' clients against stand-ins on loopback."""
