"""GetSystemProtection: whether what protects children's data does so."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from query_service.protection import KeysInUse, Protection
from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.protection_findings import ProtectionFinding, findings_of
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from shared.audit.recent_state import TrailState
from shared.clock import Clock
from shared.keyring.erased_list import ErasureStep, OpenErasures

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class GetSystemProtection(Query):
    pass


class OpenErasure(AnswerModel):
    child_id: str = Field(description="The erased child.")
    since: Instant = Field(description="When it was erased.")
    outstanding: list[ErasureStep] = Field(description="Steps not completed yet.")


class ErasureProtection(AnswerModel):
    erased: int = Field(description="Children who were erased.")
    open: int = Field(description="Of these, those of whom something is still to be removed.")
    oldest_since: Instant | None = Field(
        description="When the first of those was erased; null: all erasures are complete."
    )
    open_erasures: list[OpenErasure] = Field(description="The first 50 of those, the oldest first.")


class KeyState(StrEnum):
    ACTIVE = "active"
    REPLACED = "replaced"
    MISSING = "missing"


class KeyProtection(AnswerModel):
    """A key-encryption key."""

    key_id: str = Field(description="Its id, as `teddy keys status` prints it.")
    state: KeyState = Field(
        description="Active: it wraps new data keys. Missing: the key file of the process that "
        "answers lacks it, and nothing under it can be decrypted there."
    )
    data_keys: int | None = Field(
        description="Data keys, of one child each, that it wraps; null: they could not be counted "
        "within a second."
    )


class TrailProtection(AnswerModel):
    """By signed heads and the ends of segments of the last hour; `teddy audit verify` reads all."""

    newest_head_at: Instant | None = Field(
        description="When the newest head was signed; null: no head is known. None is signed while "
        "nothing is recorded."
    )
    unsigned_records: int = Field(description="Records that no signed head covers yet.")
    unsigned_since: Instant | None = Field(
        description="When the oldest of those was made; null: there are none."
    )
    unrecorded_requests: int = Field(
        description="Requests of the last hour that were refused because they could not be "
        "recorded."
    )
    altered: list[str] = Field(
        description="What is missing or altered, as far as heads of the last hour and the ends of "
        "segments tell; the first 50."
    )


class SystemProtection(AnswerModel):
    """Each part is read apart, and kept for 5 s (erasures), 30 s (audit) or 60 s (keys)."""

    findings: list[ProtectionFinding] = Field(
        description="The worst first; empty: nothing is known to be wrong. Of a part that is null, "
        "and of keys that could not be counted, nothing can be found."
    )
    erasures: ErasureProtection | None = Field(description="Null: it could not be read in time.")
    keys: list[KeyProtection] | None = Field(
        description="Every key-encryption key of the key file, and those missing there that wrap "
        "data keys, as far as these were counted. Null: the file could not be read."
    )
    audit: TrailProtection | None = Field(description="Null: it could not be read in time.")


@dataclass(frozen=True, slots=True)
class GetSystemProtectionHandler:
    """`unsigned_limit`: how long records may be unsigned."""

    protection: Protection
    clock: Clock
    unsigned_limit: timedelta

    async def handle(self, _query: GetSystemProtection, _scope: Scope) -> Answer:
        erasures, keys, trail = await asyncio.gather(
            self.protection.erasures.known(),
            self.protection.keys.known(),
            self.protection.trail.known(),
        )
        content = SystemProtection(
            findings=findings_of(erasures, keys, trail, self.clock(), self.unsigned_limit),
            erasures=None if erasures is None else _erasures(erasures),
            keys=None if keys is None else _keys(keys),
            audit=None if trail is None else _trail(trail),
        )
        shown = () if erasures is None else tuple(one.child_id for one in erasures.oldest)
        return Answer(content, shown)


def _erasures(known: OpenErasures) -> ErasureProtection:
    return ErasureProtection(
        erased=known.erased,
        open=known.open,
        oldest_since=known.oldest[0].at if known.oldest else None,
        open_erasures=[
            OpenErasure(child_id=one.child_id, since=one.at, outstanding=one.missing)
            for one in known.oldest
        ],
    )


def _keys(known: KeysInUse) -> list[KeyProtection]:
    counted = known.data_keys or {}
    return [
        KeyProtection(
            key_id=key_id,
            state=_state(key_id, known),
            data_keys=None if known.data_keys is None else counted.get(key_id, 0),
        )
        for key_id in [*known.keks, *known.missing]
    ]


def _state(key_id: str, known: KeysInUse) -> KeyState:
    if key_id not in known.keks:
        return KeyState.MISSING
    return KeyState.ACTIVE if key_id == known.active else KeyState.REPLACED


def _trail(known: TrailState) -> TrailProtection:
    return TrailProtection(
        newest_head_at=known.head_at,
        unsigned_records=known.unsigned.number,
        unsigned_since=known.unsigned.since,
        unrecorded_requests=known.unrecorded,
        altered=[str(one) for one in known.findings[:MOST_SHOWN]],
    )
