"""What stands before generations: one table says who serves, exchanged whole, and it survives whoever changes it, and the edge."""
