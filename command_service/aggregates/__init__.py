"""Children folded from their streams: the memory of them, snapshots, long streams."""
