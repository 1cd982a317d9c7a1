"""Tests against and around the real Xray core."""
