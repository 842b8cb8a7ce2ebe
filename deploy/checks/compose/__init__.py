"""The requirements on the Compose stack, checked without Docker."""
