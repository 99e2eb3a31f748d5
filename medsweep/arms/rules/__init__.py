"""Patterns written by a person: what keywords alone can do."""

from medsweep.arms.rules.arm import Rules
from medsweep.arms.rules.patterns import RuleFile, load_rules

__all__ = ["RuleFile", "Rules", "load_rules"]
