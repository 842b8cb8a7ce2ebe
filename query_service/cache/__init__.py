"""Where answers are kept, and how they are dropped in time."""
