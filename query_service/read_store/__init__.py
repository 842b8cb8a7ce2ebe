"""The read models as queries see them."""
