"""The native API's shapes, over a fake engine."""
