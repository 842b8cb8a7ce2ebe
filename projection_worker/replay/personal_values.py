"""Personal values as operators may see them: sealed, unless they ask for more."""

import re
from typing import Any

from shared.codec import SealedField, open_sealed
from shared.event_schema import PERSONAL_FIELDS
from shared.keyring.cipher import ChildCipher, SealBroken

SEALED = "(sealed)"
DESTROYED = "(key destroyed)"
CLOSED = "(does not open)"

_SEALED_TEXT = re.compile(r"^\d+\.[a-z_]+\.[A-Za-z0-9+/_=-]{16,}$")
"""`version.field.ciphertext`, as read models hold it."""


class Personals:
    """Of one child. `reveal`: open values, where the key still exists."""

    def __init__(self, child_id: str, cipher: ChildCipher | None, *, reveal: bool) -> None:
        self._child_id = child_id
        self._cipher = cipher
        self._reveal = reveal

    def shown(self, value: Any, name: str = "", of: str | None = None) -> Any:
        """`value`, which stands as `name` in what is told `of`, with every sealed text in it opened
        or replaced by a word."""
        if isinstance(value, dict):
            return {name: self.shown(one, name, value.get("id")) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.shown(one, name, of) for one in value]
        if name in PERSONAL_FIELDS and isinstance(value, str) and _SEALED_TEXT.match(value):
            return self.opened(value, SealedField(name, of))
        return value

    def opened(self, sealed: str, expected: SealedField) -> Any:
        if self._cipher is None:
            return DESTROYED
        if not self._reveal:
            return SEALED
        try:
            return open_sealed(self._child_id, sealed, self._cipher, expected)
        except SealBroken:
            return CLOSED
