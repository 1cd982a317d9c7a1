"""Contract tests of the subscription dialect."""
