"""Subscription bodies: one pure function per format that turns client profiles into the text a program reads.

``choose`` picks a format by User-Agent, ``headers`` writes what travels beside the body, ``qr`` draws a code. Who may
read a subscription, and over which wire, is left to the dialect that calls these.
"""
