"""`python -m deploy.checks.lock`: the locks hold all that pyproject.toml and the locked packages
ask for, on every supported Python and machine, with the extras and with hashes."""
