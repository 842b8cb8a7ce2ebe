"""Commands to their handlers: the bus, and what a command passes on its way."""
