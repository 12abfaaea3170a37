"""What is told, to whom, at the place where the change was made: quiet by default, one comment that is updated, state changes only."""
