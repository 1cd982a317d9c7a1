"""What an instance is put through with marked secrets only, a part of the product in each module."""
