"""Records that cannot be projected: kept, shown, redriven or discarded."""
