"""Handing an adapter over."""
