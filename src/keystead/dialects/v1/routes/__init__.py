"""The native API's endpoints, split by noun: parse, one operation, present."""
