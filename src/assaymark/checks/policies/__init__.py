"""Rules of the user in CEL, over the documents that checks of infrastructure read."""
