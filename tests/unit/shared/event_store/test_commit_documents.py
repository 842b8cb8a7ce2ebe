from dataclasses import replace

import pytest

from shared.event_store.commit_documents import (
    PUBLISHED_FIELDS,
    from_document,
    recorded_events,
    to_document,
)
from shared.event_store.envelope import Causality, NewCommit, StreamPosition, seal_commit
from tests.support.commits import an_offer

OFFERS = [
    an_offer("child-1"),
    an_offer("child-1", StreamPosition(4, "hash"), events=3, key="key-1"),
    replace(an_offer("child-1"), causality=Causality("c-1", None, "00-aa-bb-01"), result={}),
]


@pytest.mark.parametrize("offer", OFFERS)
def test_a_commit_survives_the_way_through_its_document(offer: NewCommit) -> None:
    commit = seal_commit(offer)
    assert from_document(to_document(commit)) == commit


@pytest.mark.parametrize("offer", OFFERS)
def test_the_relay_s_short_way_gives_the_same_events(offer: NewCommit) -> None:
    commit = seal_commit(offer)
    document = to_document(commit)
    projected = {name: document[name] for name in PUBLISHED_FIELDS}
    assert list(recorded_events(projected)) == list(commit.recorded_events())


def test_a_commit_without_idempotency_key_has_no_place_in_its_index() -> None:
    assert "idempotency" not in to_document(seal_commit(an_offer("child-1")))
