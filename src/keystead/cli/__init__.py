"""The command line: a client of /v1 over the local socket; serve, migrate, doctor and backup can work in process."""
