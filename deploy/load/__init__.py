"""`teddy load`: a seeded stream of commands over HTTP, valid by its own model of the children."""
