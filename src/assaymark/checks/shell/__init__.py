"""Shell commands, wherever they stand (pipeline steps, image recipes): read once, judged by rules of their own."""
