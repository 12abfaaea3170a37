"""What runs is compared with what was endorsed: sensors that look, and what each difference means."""
