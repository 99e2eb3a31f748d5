"""Training adapters on a frozen base, with torch, transformers and peft alone."""
