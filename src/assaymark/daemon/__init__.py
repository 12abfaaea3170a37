"""A warm process per user and installation that answers hooks without starting Python programs anew.

Guarantees the answer that the program gives without it: both call one function. Holds no state of its own between two requests.
"""
