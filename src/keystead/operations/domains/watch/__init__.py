"""The watch over domains and zones: looks, comparisons, and who is told."""
