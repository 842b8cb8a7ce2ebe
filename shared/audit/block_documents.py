"""Blocks of the audit trail as MongoDB keeps them."""

from typing import Any

from shared.audit.chain import Block, place_of
from shared.mongo import Document

BESIDE = ("segment", "first", "last", "since", "until", "children", "subjects", "operations")


def document_of(block: Block) -> Document:
    return {
        "_id": place_of(block.segment, block.first),
        "lines": block.lines,
        "digests": block.digests,
        "previous_hash": block.previous_hash,
        "hash": block.hash,
        **block.beside,
    }


def block_in(document: Document) -> Block:
    """Whatever stands there: what is not as it was written, `check_block` names."""
    segment, first = place_in(document["_id"])
    return Block(
        segment=segment,
        first=first,
        lines=_texts(document.get("lines")),
        digests=_texts(document.get("digests")),
        previous_hash=str(document.get("previous_hash")),
        hash=str(document.get("hash")),
        beside={name: document.get(name) for name in BESIDE},
    )


def place_in(identity: str) -> tuple[str, int]:
    """Segment and first record of the block with this `_id`; 0 for what no process has written."""
    segment, _, first = identity.rpartition("@")
    return segment, int(first) if first.isascii() and first.isdecimal() else 0


def _texts(stored: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in stored) if isinstance(stored, list) else ()
