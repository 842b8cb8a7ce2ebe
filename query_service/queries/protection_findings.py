"""What of the protection of children's data needs an operator."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from query_service.protection import KeysInUse
from query_service.queries.answers import AnswerModel
from shared.audit.recent_state import TrailState
from shared.keyring.erased_list import OpenErasures

ERASING = timedelta(minutes=15)
"""How long an erasure may take: the worker removes the last of it, and has retries to do so."""


class ProtectionCode(StrEnum):
    KEYS_MISSING = "keys-missing"
    TRAIL_ALTERED = "trail-altered"
    TRAIL_UNSIGNED = "trail-unsigned"
    ERASURES_OPEN = "erasures-open"
    REQUESTS_UNRECORDED = "requests-unrecorded"


class ProtectionFinding(AnswerModel):
    code: ProtectionCode = Field(description="What is wrong.")
    text: str = Field(description="What it means, in English.")


def findings_of(
    erasures: OpenErasures | None,
    keys: KeysInUse | None,
    trail: TrailState | None,
    now: datetime,
    unsigned_limit: timedelta,
) -> list[ProtectionFinding]:
    """The worst first. None: not known, which is no finding."""
    return [
        *(_about_keys(keys) if keys else ()),
        *(_about_trail(trail, now, unsigned_limit) if trail else ()),
        *(_about_erasures(erasures, now) if erasures else ()),
        *(_about_requests(trail) if trail else ()),
    ]


def _about_keys(known: KeysInUse) -> Iterable[ProtectionFinding]:
    for key_id in known.missing:
        number = (known.data_keys or {})[key_id]
        text = (
            f"{number} data keys are wrapped under {key_id}, which the key file lacks: nothing of "
            "their children can be decrypted."
        )
        yield ProtectionFinding(code=ProtectionCode.KEYS_MISSING, text=text)


def _about_trail(
    known: TrailState, now: datetime, unsigned_limit: timedelta
) -> Iterable[ProtectionFinding]:
    if known.findings:
        text = f"The audit trail was altered in {len(known.findings)} places: {known.findings[0]}."
        yield ProtectionFinding(code=ProtectionCode.TRAIL_ALTERED, text=text)
    since = known.unsigned.since
    if since is not None and now - since > unsigned_limit:
        text = (
            f"{known.unsigned.number} audit records are not signed, the oldest for "
            f"{_minutes(now - since)} min: who alters them is not found out."
        )
        yield ProtectionFinding(code=ProtectionCode.TRAIL_UNSIGNED, text=text)


def _about_erasures(known: OpenErasures, now: datetime) -> Iterable[ProtectionFinding]:
    if known.oldest and now - known.oldest[0].at > ERASING:
        text = (
            f"{known.open} erasures are not complete, the oldest for "
            f"{_minutes(now - known.oldest[0].at)} min."
        )
        yield ProtectionFinding(code=ProtectionCode.ERASURES_OPEN, text=text)


def _about_requests(known: TrailState) -> Iterable[ProtectionFinding]:
    if known.unrecorded:
        text = (
            f"{known.unrecorded} requests of the last hour were refused because they could not be "
            "recorded."
        )
        yield ProtectionFinding(code=ProtectionCode.REQUESTS_UNRECORDED, text=text)


def _minutes(age: timedelta) -> int:
    return round(age.total_seconds() / 60)
