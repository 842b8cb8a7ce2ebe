"""Measurements, not tests: `python -m tests.bench.NAME`. Each prints its own baseline."""
