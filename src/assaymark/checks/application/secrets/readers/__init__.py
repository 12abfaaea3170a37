"""Readers of formats: exact (key, value) pairs with positions, for the judgement that lines get too."""
