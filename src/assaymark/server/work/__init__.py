"""What is done when a trigger comes: accepted, assessed, recorded, answered."""
