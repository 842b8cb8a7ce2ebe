"""Erasures on a topic of their own: what is still known after databases were restored."""
