"""The commands of `teddy replay`, and of `teddy verify`."""
