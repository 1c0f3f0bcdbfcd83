"""The field engineer's tools: from a bare board to its first reading in the store, and the fleet after it."""
