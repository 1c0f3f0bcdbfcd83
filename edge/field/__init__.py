"""The field engineer's tools: from a bare board to a node that is heard, and what comes after."""
