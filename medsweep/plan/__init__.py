"""What a sweep will do: corpus, folds, ladders, cells, and what they cost."""
