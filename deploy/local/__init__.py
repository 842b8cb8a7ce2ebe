"""The local stack: real servers and all four processes on one machine, without Docker."""
