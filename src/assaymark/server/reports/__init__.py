"""The report for the board: what it says, how it is written, how it is issued and signed."""
