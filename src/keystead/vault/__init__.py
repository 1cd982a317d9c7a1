"""The vault: secrets of accounts at outside providers, what was learnt with them, and errands at providers."""
