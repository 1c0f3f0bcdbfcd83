"""What others do with the same broker and the same store: the contenders that stand beside the gateway."""
