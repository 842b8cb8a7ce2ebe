"""A request that its caller may repeat, while it is under way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class SentRequest:
    """In memory only. Of all this `key` is stored as it is, and of `content` a print under the
    child's own data key.

    `content`: method, path and body, in one form. `as_sent`: role and subject of the caller, and
    the key that it chose.
    """

    key: str
    content: bytes
    as_sent: tuple[str, str, str]
