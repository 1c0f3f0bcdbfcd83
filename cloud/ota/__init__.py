"""Firmware over the air: the depot of signed bundles, and roll-outs ring by ring."""
