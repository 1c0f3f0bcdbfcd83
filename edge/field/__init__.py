"""The field engineer's tools: from a bare board to readings in the store, and all that comes after."""
