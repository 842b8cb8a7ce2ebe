"""HTTP to command to result."""
