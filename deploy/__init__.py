"""Ways to run the system, and the `teddy` command."""
