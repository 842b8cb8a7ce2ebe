"""The command side: HTTP to command, decide, append."""
