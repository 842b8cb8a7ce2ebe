"""Where the next page begins, as an opaque signed text."""

import hashlib

import orjson

from query_service.queries.errors import RequestRefused
from query_service.read_store.port import Place
from shared.clock import iso, parse_iso
from shared.signing import SignatureRefused, Signer


class Cursors:
    """Cursors of one kind of list. `about`: what tells a list from others of its kind (whose it is,
    its period, its conditions), of values that JSON has, times and dataclasses."""

    def __init__(self, signature_key: bytes, of_list: str) -> None:
        self._signer = Signer(signature_key, f"cursor:{of_list}")

    def write(self, place: Place, about: object) -> str:
        return self._signer.sign(f"{_digest(about)} {iso(place.at)} {place.id}".encode())

    def read(self, cursor: str | None, about: object) -> Place | None:
        """None for the first page; raises RequestRefused for what was not given out for this
        list."""
        if cursor is None:
            return None
        try:
            of_list, _, place = self._signer.open(cursor).decode().partition(" ")
        except SignatureRefused:
            raise _refused() from None
        if of_list != _digest(about):
            raise _refused()
        at, _, identity = place.partition(" ")
        return Place(parse_iso(at), identity)


def _digest(about: object) -> str:
    """One moment is one, in whatever zone it was told."""
    told = orjson.dumps(about, default=iso, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return hashlib.blake2b(told, digest_size=16).hexdigest()


def _refused() -> RequestRefused:
    reason = "not a cursor of this list; send `next_cursor` unchanged or leave it out"
    return RequestRefused("cursor", reason)
