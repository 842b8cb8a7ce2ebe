"""What commits of earlier releases hold that outlives an erasure, and later ones do not."""

import re
from collections.abc import Iterable
from enum import StrEnum

from shared.event_store.envelope import Commit
from shared.events.personal import LABELS_IN_CLEAR, LAST_IN_CLEAR


class OlderContent(StrEnum):
    """`PRINTS`: whoever has the index key can confirm a guess of a request or of a device id.
    `LABELS`: words that somebody chose, in clear."""

    PRINTS = "prints"
    LABELS = "labels"


BEAR = "device"
"""Role of the actors that `OLDER_ALIAS` is about."""

OLDER_ALIAS = "^bear-[0-9a-f]{24}$"
"""A bear as earlier releases named it; today's pseudonyms are shorter."""


def older_content_of(commits: Iterable[Commit]) -> frozenset[OlderContent]:
    """What `commits` hold of it."""
    return frozenset(kind for commit in commits for kind in _kinds_in(commit))


def _kinds_in(commit: Commit) -> Iterable[OlderContent]:
    is_older = commit.idempotency is not None and commit.idempotency.is_older
    is_bear = commit.actor.role == BEAR
    if is_older or (is_bear and re.match(OLDER_ALIAS, commit.actor.subject)):
        yield OlderContent.PRINTS
    if any(
        event.type in LABELS_IN_CLEAR and event.schema_version <= LAST_IN_CLEAR
        for event in commit.events
    ):
        yield OlderContent.LABELS
