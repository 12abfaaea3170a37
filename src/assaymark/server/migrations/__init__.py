"""From another platform to this one: its export is read into a plan, which is shown, carried out, and may be carried out again."""
