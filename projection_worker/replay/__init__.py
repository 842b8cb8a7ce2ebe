"""Read models from the beginning: compare them with what the events say."""
