"""`teddy seed`: children in numbers, written by the event store's and the projector's own code."""
