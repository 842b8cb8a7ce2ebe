"""Alerts to parents: each delivery is a document, tried until it worked or three days are over."""
