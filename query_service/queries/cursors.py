"""Where the next page begins, as an opaque signed text."""

from query_service.queries.errors import RequestRefused
from query_service.read_store.port import Place
from shared.clock import iso, parse_iso
from shared.signing import SignatureRefused, Signer


class Cursors:
    """Cursors of one list; those of another list are refused."""

    def __init__(self, signature_key: bytes, of_list: str) -> None:
        self._signer = Signer(signature_key, f"cursor:{of_list}")

    def write(self, place: Place) -> str:
        return self._signer.sign(f"{iso(place.at)} {place.id}".encode())

    def read(self, cursor: str | None) -> Place | None:
        """None for the first page; raises RequestRefused for what was not given out here."""
        if cursor is None:
            return None
        try:
            at, _, identity = self._signer.open(cursor).decode().partition(" ")
        except SignatureRefused:
            reason = "not a cursor of this list; send `next_cursor` unchanged or leave it out"
            raise RequestRefused("cursor", reason) from None
        return Place(parse_iso(at), identity)
