"""Asking a language model: prompts, windows of long texts, decoding, answers."""
