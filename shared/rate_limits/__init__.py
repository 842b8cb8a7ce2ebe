"""At most so many requests of one subject in a window of time."""
