"""What takes longer than a transaction, once for all wires: operations speak no wire and write no SQL."""
