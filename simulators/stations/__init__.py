"""Foreign stations as a centre meets them, each written from its protocol's page and from nothing of ours."""
