"""The native API: everything the older wires cannot say, as problem+json and typed objects."""
