"""Values that occur nowhere else, all that is done with them, every byte that was written."""
