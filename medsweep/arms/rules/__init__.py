"""Patterns written by a person: what keywords alone can do."""

from medsweep.arms.rules.arm import Rules, RulesOptions
from medsweep.arms.rules.patterns import RuleFile, load_rules

__all__ = ["RuleFile", "Rules", "RulesOptions", "load_rules"]
