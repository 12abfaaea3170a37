"""Auto Scaling groups of Amazon EC2: machines of a machine image that a bake sealed, replaced and never changed."""
