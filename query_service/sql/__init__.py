"""SQL for analysts: one SELECT over columns without personal data, in a process of its own."""
