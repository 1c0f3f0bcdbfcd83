"""Rules: is what a node says an event? Pure: readings and times in, episodes out."""

from edge.rules.load import default_text, load_rules, read_rules
from edge.rules.peers import Alone, Memory, Peers
from edge.rules.rule import Rule, Scope, rules_of
from edge.rules.watch import Watch

__all__ = [
    "Alone", "Memory", "Peers", "Rule", "Scope", "Watch",
    "default_text", "load_rules", "read_rules", "rules_of",
]  # fmt: skip
