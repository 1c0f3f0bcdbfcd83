"""How nodes, gateways and stores speak: topics, native payloads, line protocol. Pure functions."""
