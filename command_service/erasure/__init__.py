"""Erasure after the fact is in the stream: what is removed, and what is removed again."""
