"""Eight scenarios against a running system, each runnable alone: `python -m examples registration`.

They use nothing but `TeddyClient`, and check their own outcome.
"""
