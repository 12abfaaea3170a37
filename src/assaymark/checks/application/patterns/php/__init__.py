"""Rules about PHP."""
