"""HTTP: requests to queries, answers to responses, live updates."""
