"""Upcasters: old published events, read as if they had been written today.

An upcaster takes one schema version of one event type to the next. It is given the fields by name
(personal ones already opened, as `Personal`) and returns the new type name and fields. Register it
in UPCASTERS under (type, old schema version); add a golden file of the old wire form, which stays
for ever.
"""

from collections.abc import Callable, Mapping
from typing import Any

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]

LABELS_IN_CLEAR = frozenset(
    {
        "ChildRegistered",
        "ChildProfileUpdated",
        "SafetyViolationReported",
        "SafetyViolationResolved",
        "ConversationStarted",
        "MessageRecorded",
        "ParentalConsentGiven",
    }
)
"""Types whose labels stand in clear up to schema version LAST_IN_CLEAR; later ones seal them."""
LAST_IN_CLEAR = 1


def _sealed_since(event_type: str) -> Upcaster:
    """The fields are the same: whether a label was sealed is seen from its wire form."""
    return lambda content: (event_type, content)


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    (event_type, LAST_IN_CLEAR): _sealed_since(event_type) for event_type in sorted(LABELS_IN_CLEAR)
}
"""By type and schema version."""

FORMER_NAMES: Mapping[str, tuple[str, ...]] = {}
"""Of each personal field that an upcaster renames: the names under which it was sealed before. What
a read model holds is opened as what it was sealed as."""


def upcast(
    event_type: str,
    schema_version: int,
    content: dict[str, Any],
    upcasters: Mapping[tuple[str, int], Upcaster],
) -> tuple[str, int, dict[str, Any]]:
    """Apply upcasters one after the other until none is registered for the version reached.

    Gives type name, schema version and fields as they are then.
    """
    while (step := upcasters.get((event_type, schema_version))) is not None:
        event_type, content = step(content)
        schema_version += 1
    return event_type, schema_version, content
