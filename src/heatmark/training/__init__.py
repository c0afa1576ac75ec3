"""Learning: a recipe, samples, a task, and the loop that joins them."""
