"""Identities of nodes: who stands behind a node's name, what was done to it, and with which certificate."""
