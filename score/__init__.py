"""How good the quality checks are on real recordings: `make score` writes docs/quality.md."""
