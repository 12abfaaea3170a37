"""Which repositories a group, organisation or workspace has, as a forge's API lists them. Asks through a function that it is given."""
