"""Readers that several checks share. They turn text into values with positions and judge nothing."""
