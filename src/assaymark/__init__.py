"""Assaymark: says whether a change made security worse, and proves it. The flow on one page is `assaymark.flow`."""

__version__ = "0.1.0"
