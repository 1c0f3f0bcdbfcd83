"""Alerts: who must know of an event, once, and what became of it."""
