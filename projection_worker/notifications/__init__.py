"""Alerts to parents: each delivery is a document, tried until it succeeds or three days are over."""
