"""SQL for analysts."""
