"""Base models: finding, converting and loading them, and where LoRA goes."""
