"""Pages of lists: where the next one begins, as an opaque signed text."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson

from query_service.queries.query import RequestRefused
from query_service.read_store.port import PageEnd
from shared.clock import iso, parse_iso
from shared.signing import SignatureRefused, Signer

D = TypeVar("D", bound=Mapping[str, Any])


class Cursors:
    """Cursors of one kind of list. `about`: what distinguishes a list from others of its kind
    (whose it is, its period, its conditions), of values that JSON has, times and dataclasses."""

    def __init__(self, signature_key: bytes, of_list: str) -> None:
        self._signer = Signer(signature_key, f"cursor:{of_list}")

    def page(
        self, found: Sequence[D], limit: int, by: str, about: object
    ) -> tuple[Sequence[D], str | None]:
        """At most `limit` documents of `found`, which are sorted `by` this field, and where the
        next page begins; None where there is none, as no more than `limit` were found."""
        page = found[:limit]
        if len(found) <= limit:
            return page, None
        return page, self.write(PageEnd(page[-1][by], page[-1]["_id"]), about)

    def write(self, end: PageEnd, about: object) -> str:
        return self._signer.sign(f"{_digest(about)} {iso(end.at)} {end.id}".encode())

    def read(self, cursor: str | None, about: object) -> PageEnd | None:
        """None for the first page; raises RequestRefused for what was not given out for this
        list."""
        if cursor is None:
            return None
        try:
            of_list, _, end = self._signer.open(cursor).decode().partition(" ")
        except SignatureRefused:
            raise _refused() from None
        if of_list != _digest(about):
            raise _refused()
        at, _, identity = end.partition(" ")
        return PageEnd(parse_iso(at), identity)


def _digest(about: object) -> str:
    """Equal for one moment in whatever time zone."""
    text = orjson.dumps(about, default=iso, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _refused() -> RequestRefused:
    reason = "not a cursor of this list; send `next_cursor` unchanged or leave it out"
    return RequestRefused("cursor", reason)
