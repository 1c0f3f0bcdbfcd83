"""The gateway: takes readings from nodes, keeps them until the store has them, and accounts for each."""
