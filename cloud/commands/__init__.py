"""Commands to nodes: asked for by people and roll-outs, carried by gateways, done once by nodes."""
