"""One module a command of `teddy replay`."""
