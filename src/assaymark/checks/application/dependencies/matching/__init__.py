"""Joins packages with advisories: an opened index, what hits, how it is repaired, and how it is said."""
