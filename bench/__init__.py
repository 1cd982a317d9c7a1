"""What Keystead costs over the bare core, the bare database and the bare framework, as ratios of one run.

``python -m bench`` (``make bench``) prints them beside their budgets. Absolute figures move by a third from one
machine, and one minute, to the next; so ours and its control take turns, and only their ratio is stated.
"""
