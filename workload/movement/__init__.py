"""Movements: how blocks travel between where the data lives and the ranks.

`descriptions` says what is known of each before it runs, `movement` what all share, and `factory` makes one by name.
docs/contributing.md tells how to add one.
"""
