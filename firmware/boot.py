"""Runs first on every start: makes the library findable. What can fail belongs into main.py, never here."""

import sys

if "/lib" not in sys.path:
    sys.path.append("/lib")
