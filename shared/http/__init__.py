"""What both HTTP APIs have in common: problems, callers, correlation, health, metrics."""
