"""The catalogue: units, quantities, node kinds, nodes, quality, errors. Pure values, no I/O."""
