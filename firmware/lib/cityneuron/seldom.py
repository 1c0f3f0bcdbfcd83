"""Modules that are seldom needed: between two uses they take no room in memory."""

import sys


def borrow(name, *parts):
    """Import a module of ours, and let it go, with `parts` that it imports, as soon as the caller does."""
    package = __import__("cityneuron." + name)
    module = getattr(package, name)
    for each in (name,) + parts:
        if sys.modules.pop("cityneuron." + each, None):
            delattr(package, each)
    return module
