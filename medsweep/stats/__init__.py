"""Statistics of the verdict, as pure functions over arrays."""
