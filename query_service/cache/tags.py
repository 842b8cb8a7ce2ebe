"""By what an answer is dropped: whom it is about."""

Tag = str

EVERYTHING: Tag = "everything"
"""Of answers that change with whatever happens."""


def child_tag(child_id: str) -> Tag:
    return f"child:{child_id}"


def parent_tag(parent_id: str) -> Tag:
    return f"parent:{parent_id}"
