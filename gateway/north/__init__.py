"""Northbound distribution: readings handed on to further brokers, in their words, with a store's custody."""
