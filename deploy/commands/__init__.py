"""The commands of `teddy` for operators."""
