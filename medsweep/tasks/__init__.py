"""Tasks: document classification and named-entity recognition."""
