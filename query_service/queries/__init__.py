"""One file a query: its request, its handler, its answer."""
