"""The supervisor of an engine's process: start, output, ports, back-off, stop. It imports kit only."""
