"""Commit status and one comment per merge request, on four forges: requests as data, and the order in which they are sent."""
