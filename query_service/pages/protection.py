"""What the console shows of the protection of children's data."""

from collections.abc import Mapping
from typing import Any

from query_service.pages.inner_api import ApiAnswer, asked

PROTECTION = asked("system", "protection")

REMEDIES: Mapping[str, str] = {
    "keys-missing": "teddy keys status",
    "trail-altered": "teddy audit verify",
    "trail-unsigned": "teddy audit verify",
    "erasures-open": "teddy erase status",
    "requests-unrecorded": "teddy audit show --operation AuditGap",
}
"""The command with which to begin, by the code of a finding."""


def protection_of(answer: ApiAnswer) -> Mapping[str, Any]:
    """For the template; `protection` is None where the API answers nothing of it."""
    known = None if answer.is_refusal else answer.content
    unknown = [] if known is None else _unknown(known)
    return {
        "protection": known,
        "protection_unknown": unknown,
        "protection_remedies": REMEDIES,
    }


def _unknown(protection: Mapping[str, Any]) -> list[str]:
    """The parts that were not read or counted, by the names of their texts."""
    unknown = [part for part in ("erasures", "keys", "audit") if protection[part] is None]
    if any(one["data_keys"] is None for one in protection["keys"] or ()):
        unknown.append("data_keys")
    return unknown
