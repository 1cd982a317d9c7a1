"""The wires Keystead speaks. A dialect parses, calls one verb and presents; it decides nothing."""
