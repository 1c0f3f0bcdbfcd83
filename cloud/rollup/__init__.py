"""Roll-ups: what was sensed becomes hours and days, and questions find the level that answers them."""
