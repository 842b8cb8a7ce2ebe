"""The canaries: a mark in all of them, to be found however it is written."""

import base64
from collections.abc import Iterator, Mapping, Sequence

from shared.clock import new_id

MARK, PLACE_MARK, LABEL_MARK = (f"kanari{new_id()[-12:]}" for _ in range(3))
"""Random, and so long that they are nowhere by chance. The second is in what is no value: paths and
names of fields, which a refusal may repeat to whoever sent them. Nothing else may. The third is in
labels: read models hold them in clear until an erasure, and nothing else does."""

AROUND = 24
"""How many bytes before and after a mark tell which canary it was, and where."""

KINDS = (
    "name",
    "udid",
    "device",
    "preference",
    "style",
    "interest",
    "details",
    "reason",
    "text",
    "query",
    "header",
    "token",
    "poison",
)


def canary(kind: str, number: int = 0) -> str:
    """A value of this kind, in letters and digits only: valid wherever a text is."""
    assert kind in KINDS, kind
    return f"{kind.title()}{number}{MARK.title()}"


def label(kind: str) -> str:
    """A topic, a kind of violation, a skill: what events seal and read models count."""
    return f"{kind.title()}{LABEL_MARK.title()}"


def place(number: int = 0) -> str:
    """A name of a field, or a part of a path."""
    return f"Place{number}{PLACE_MARK.title()}"


def spellings(mark: str) -> Iterator[bytes]:
    """A mark as files, databases and protocols may write it."""
    for text in (mark, mark.title(), mark.upper()):
        plain = text.encode()
        yield plain
        yield plain.hex().encode()
        yield text.encode("utf-16-le")
        for shift in range(3):  # base64 of whatever it stands in, wherever it begins
            encoded = base64.b64encode(b"\0" * shift + plain)
            yield encoded[4 if shift else 0 : -4].rstrip(b"=")


def found_in(
    texts: Mapping[str, bytes], marks: Sequence[str] = (MARK, PLACE_MARK)
) -> Iterator[str]:
    """Each text that holds a canary, with what stands around its first one."""
    wanted = [spelling for mark in marks for spelling in spellings(mark)]
    for name, text in texts.items():
        for spelling in wanted:
            at = text.find(spelling)
            if at >= 0:
                yield f"{name}: {text[max(0, at - AROUND) : at + len(spelling) + AROUND]!r}"
                break
