"""Tests of reading other panels and of the plan."""
