"""What a good engineer writes in an afternoon, to measure beside."""
