"""Formats of other people, as pure functions over bytes: for rooms that may not know each other and read the same thing.

Nothing here opens a file, knows a policy or imports anything of ours but the model.
"""
