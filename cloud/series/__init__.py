"""What the cloud itself writes into the store of readings, for whoever draws from it: states, episodes."""
