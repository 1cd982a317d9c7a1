"""Taking over the customers of another panel: readers of its files, and the plan of what is taken over; all of it pure.

A reader turns the files of one kind of panel into ``Found`` (found.py); ``planning.plan`` compares that with what is
here and says of every customer what becomes of it. Nothing in this package writes to a database or starts anything.
docs/import/ tells for each panel which facts are used and where they come from.
"""
