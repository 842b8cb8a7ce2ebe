"""Alerts to parents: each delivery is a document, tried for three days until it succeeds."""
