"""Engines: one adapter plainly, many at once, or one base on several devices."""
