from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.event_store.commit_documents import (
    PUBLISHED_FIELDS,
    from_document,
    recorded_events,
    to_document,
)
from shared.event_store.envelope import (
    Actor,
    Causality,
    ChainBroken,
    Commit,
    Idempotency,
    NewCommit,
    StreamPosition,
    after_all_commits,
    commit_id,
    event_id,
    seal_commit,
    verify_chain,
)
from tests.support.commits import an_offer


def _a_history(commits: int = 3) -> list[Commit]:
    position = StreamPosition()
    history = []
    for number in range(commits):
        history.append(seal_commit(an_offer("child-1", position, 2, key=f"key-{number}")))
        position = history[-1].position
    return history


def test_an_untouched_history_verifies_to_its_end_also_from_a_snapshot_on():
    history = _a_history()
    assert verify_chain(history) == StreamPosition(6, history[-1].hash)
    assert verify_chain([]) == StreamPosition()
    first, *rest = _a_history()
    assert verify_chain(rest, first.position) == rest[-1].position


@pytest.mark.parametrize(
    "forged",
    [
        {"recorded_at": _a_history()[1].recorded_at + timedelta(milliseconds=1)},
        {"actor": Actor("somebody-else", "device")},
        {"actor": Actor("device-1", "admin")},
        {"causality": Causality("another")},
        {"idempotency": None},
        {"idempotency": Idempotency("key-1", "another request")},
        {"result": {}},
        {"events": _a_history()[1].events[:1]},
        {"events": _a_history()[1].events[::-1]},
        {"events": tuple(replace(event, data="{}") for event in _a_history()[1].events)},
        {"events": tuple(replace(event, type="Other") for event in _a_history()[1].events)},
        {"events": tuple(replace(event, schema_version=2) for event in _a_history()[1].events)},
        {"hash": "0" * 64},
    ],
    ids=",".join,
)
def test_no_part_of_a_commit_can_be_changed_unseen(forged: dict[str, Any]):
    first, second, third = _a_history()
    with pytest.raises(ChainBroken) as broken:
        verify_chain([first, replace(second, **forged), third])
    assert (broken.value.child_id, broken.value.version) == ("child-1", 3)


def test_a_missing_commit_one_out_of_order_and_a_rewritten_end_are_found():
    first, _, third = _a_history()
    with pytest.raises(ChainBroken, match="expected version 3"):
        verify_chain([first, third])
    first, second, third = _a_history()
    with pytest.raises(ChainBroken, match="expected version 3"):
        verify_chain([first, third, second])
    # given another history of the same child
    first, *_ = _a_history()
    _, second, third = _a_history()
    with pytest.raises(ChainBroken, match="predecessor differs"):
        verify_chain([first, second, third])


def test_the_order_of_result_names_does_not_change_the_hash():
    offer = an_offer("child-1")
    one = replace(offer, result={"a": "1", "b": "2"})
    other = replace(offer, result={"b": "2", "a": "1"})
    assert seal_commit(one).hash == seal_commit(other).hash


OFFERS = [
    an_offer("child-1"),
    an_offer("child-1", StreamPosition(4, "hash"), events=3, key="key-1"),
    replace(an_offer("child-1"), causality=Causality("c-1", None, "00-aa-bb-01"), result={}),
]


@pytest.mark.parametrize("offer", OFFERS)
def test_a_commit_survives_the_way_through_its_document_and_its_events_the_relay_s_short_way(
    offer: NewCommit,
):
    commit = seal_commit(offer)
    assert from_document(to_document(commit)) == commit
    document = to_document(commit)
    projected = {name: document[name] for name in PUBLISHED_FIELDS}
    assert list(recorded_events(projected)) == list(commit.recorded_events())


def test_a_commit_without_idempotency_key_has_no_place_in_its_index():
    assert "idempotency" not in to_document(seal_commit(an_offer("child-1")))


def test_commit_ids_sort_by_child_and_version_and_the_end_of_a_child_behind_them():
    places = [(child, version) for child in ("child-a", "child-b") for version in (1, 9, 10, 1_000)]
    assert sorted(places, key=lambda place: commit_id(*place)) == places
    assert commit_id("child-a", 9_999_999_999) < after_all_commits("child-a")
    assert after_all_commits("child-a") < commit_id("child-b", 1)


def test_the_events_of_a_commit_continue_the_versions_of_the_stream():
    commit = seal_commit(an_offer("child-1", StreamPosition(4, "hash"), events=3))
    events = list(commit.recorded_events())
    assert [event.version for event in events] == [5, 6, 7]
    assert [event.event_id for event in events] == [event_id("child-1", v) for v in (5, 6, 7)]
    assert commit.position == StreamPosition(7, commit.hash)
