"""Ways to predict other than a fine-tuned candidate."""
