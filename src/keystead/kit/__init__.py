"""What is not about the business: errors, clock, randomness, secrets, names, pages, files and logs.

Everything above imports from here; this package imports nothing of Keystead.
"""
