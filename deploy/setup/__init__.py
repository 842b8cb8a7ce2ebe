"""`make setup`: the environment in .venv, from the locks, with the standard library alone.

It runs on the machine's own Python before anything is installed, so nothing in this package may
import from elsewhere.
"""
