"""The checker catches what it is there for: planted losses, duplicates, gaps, leaks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from command_service.api.command_route import RequestKeys
from shared.event_store.envelope import (
    Actor,
    Causality,
    Commit,
    EncodedEvent,
    Idempotency,
    NewCommit,
    seal_commit,
)
from shared.event_store.envelope import StreamPosition as Position
from tests.faults.checker import NO_INDEX_KEY, Facts, check, stored_key
from tests.faults.history import UNANSWERED, Entry
from tests.faults.leaks import canary_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIA, EMMA = "child-mia", "child-emma"
MOTHER, STRANGER = "parent-mia", "parent-emma"


def command(number: int, status: int = 200, child_id: str = MIA, **answer: Any) -> Entry:
    reported = {
        "child_id": child_id,
        "version": number,
        "events": ["ChildProfileUpdated"],
        **answer,
    }
    path = "/v1/children" if number == 1 else f"/v1/children/{child_id}/profile"
    method = "POST" if number == 1 else "PATCH"
    subject = MOTHER if child_id == MIA else STRANGER
    key = f"key-{child_id}-{number:04}"
    answered = reported if status < 300 else {"code": "refused"}
    return Entry("", subject, "parent", method, path, key, status, answered)


def query(subject: str, reader: str = "1", **answer: Any) -> Entry:
    path = f"/v1/children/{answer.get('child_id', MIA)}"
    return Entry("", subject, "parent", "GET", path, None, 200, answer, reader)


def stream(entries: Sequence[Entry]) -> list[Commit]:
    """What the event store holds when these commands were carried out in this order."""
    commits: list[Commit] = []
    for entry in entries:
        position = commits[-1].position if commits else Position()
        event = EncodedEvent("ChildProfileUpdated", 1, NOON, "{}")
        offer = NewCommit(
            child_id=entry.answer["child_id"],
            expected=position,
            events=(event,),
            recorded_at=NOON,
            actor=Actor(entry.subject, entry.role),
            causality=Causality("correlation"),
            idempotency=Idempotency(stored_key(entry, NO_INDEX_KEY), "fingerprint"),
        )
        commits.append(seal_commit(offer))
    return commits


def kept(entry: Entry, at: Position) -> Commit:
    """What the event store holds when this command changed nothing at that place."""
    (commit,) = stream([entry])
    offer = NewCommit(
        child_id=commit.child_id,
        expected=at,
        events=(),
        recorded_at=NOON,
        actor=commit.actor,
        causality=commit.causality,
        idempotency=commit.idempotency,
    )
    return seal_commit(offer)


HISTORY = [command(1), command(2), command(3)]
COMMITS = stream(HISTORY)
PUBLISHED = [(MIA, 1), (MIA, 2), (MIA, 3)]
FACTS = Facts({MIA: COMMITS}, published=PUBLISHED)


def kinds(history: Sequence[Entry], facts: Facts) -> set[str]:
    return {violation.kind for violation in check(history, facts)}


def test_a_run_without_fault_is_clean():
    own, foreign = query(MOTHER, child_id=MIA, version=2), query(MOTHER, child_id=MIA, version=3)

    assert check([*HISTORY, own, foreign], FACTS) == []


def test_an_acknowledged_command_that_is_not_stored_where_it_was_answered_is_a_loss():
    facts = replace(FACTS, commits={MIA: COMMITS[:2]}, published=PUBLISHED[:2])

    (lost,) = check(HISTORY, facts)

    assert lost.kind == "lost"
    assert "key-child-mia-0003" in lost.detail
    history = [*HISTORY[:2], replace(HISTORY[2], answer={**HISTORY[2].answer, "version": 4})]

    assert kinds(history, FACTS) == {"lost"}


def test_a_command_that_changed_nothing_is_kept_by_its_key():
    nothing = replace(command(4), answer={"child_id": MIA, "version": 3, "events": []})
    facts = replace(FACTS, unchanged=[kept(nothing, COMMITS[-1].position)])

    assert check([*HISTORY, nothing], facts) == []
    assert kinds([*HISTORY, nothing], FACTS) == {"lost"}
    elsewhere = replace(FACTS, unchanged=[kept(nothing, COMMITS[0].position)])
    assert kinds([*HISTORY, nothing], elsewhere) == {"lost"}
    changed_too = replace(facts, unchanged=[kept(HISTORY[2], COMMITS[1].position)])
    assert "duplicate" in kinds(HISTORY, changed_too)


def test_a_duplicate_a_second_answer_and_a_commit_that_nobody_asked_for_are_found():
    twice = stream([*HISTORY, HISTORY[2]])
    facts = Facts({MIA: twice}, published=[*PUBLISHED, (MIA, 4)])

    assert "duplicate" in kinds(HISTORY, facts)
    other = replace(HISTORY[2], answer={**HISTORY[2].answer, "events": ["ChildErased"]})

    assert "answer" in kinds([*HISTORY, other], FACTS)
    assert kinds(HISTORY[:2], FACTS) == {"unasked"}


def test_a_missing_version_and_an_altered_commit_are_found():
    facts = Facts({MIA: [COMMITS[0], COMMITS[2]]})

    assert "gap" in kinds([HISTORY[0], HISTORY[2]], facts)
    altered = replace(COMMITS[1], actor=Actor("somebody", "admin"))
    facts = Facts({MIA: [COMMITS[0], altered, COMMITS[2]]})

    assert "gap" in kinds(HISTORY, facts)


def test_read_models_that_differ_or_stay_behind_and_alerts_untold_are_reported():
    facts = replace(FACTS, read_model_differences=["children/child-mia version: 3, 2 found"])

    assert kinds(HISTORY, facts) == {"read-model"}
    assert kinds(HISTORY, replace(FACTS, lag="1 children behind after 60 s")) == {"lag"}
    assert kinds(HISTORY, replace(FACTS, dead_lettered=frozenset({MIA}))) == {"dead-lettered"}
    assert kinds(HISTORY, replace(FACTS, undelivered=["alert-1 on in_app: pending"])) == {
        "undelivered"
    }


def test_a_command_refused_or_unheard_is_not_stored_or_stored_once():
    refused = [*HISTORY[:2], command(3, status=409)]

    assert kinds(refused, FACTS) == {"trace"}
    unheard = [*HISTORY[:2], command(3, status=UNANSWERED)]
    twice = Facts({MIA: stream([*HISTORY, HISTORY[2]])}, published=[*PUBLISHED, (MIA, 4)])

    assert kinds(unheard, twice) == {"duplicate"}


@pytest.mark.parametrize("status", [503, UNANSWERED])
def test_a_command_whose_end_nobody_heard_may_be_stored_or_not(status: int):
    unheard = [*HISTORY[:2], command(3, status=status)]

    assert check(unheard, FACTS) == []
    assert check(unheard, Facts({MIA: COMMITS[:2]}, published=PUBLISHED[:2])) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"child_id": EMMA, "version": 1},
        {"items": [{"child_id": EMMA}]},
        {"deep": {"child_id": EMMA}},
        {"child_id": MIA, "note": f"a friend of {EMMA}, child of {STRANGER}"},
        {"child_id": MIA, "name": canary_of(STRANGER)},
        {"child_id": "child-of-nobody-known"},
    ],
)
def test_an_answer_with_another_familys_child_is_a_leak(answer: dict[str, Any]):
    history = [*HISTORY, command(1, child_id=EMMA), query(MOTHER, **answer)]
    facts = Facts({MIA: COMMITS, EMMA: stream([command(1, child_id=EMMA)])})

    assert kinds(history, facts) == {"leak"}


def test_a_child_whose_registration_nobody_heard_of_is_its_own_familys():
    registered = command(1, child_id=EMMA)
    unheard = replace(registered, status=503, answer={"code": "store-unavailable"})
    facts = Facts({MIA: COMMITS, EMMA: stream([registered])})

    own, foreign = query(STRANGER, child_id=EMMA), query(MOTHER, child_id=EMMA)

    assert kinds([*HISTORY, unheard, own], facts) == set()
    assert kinds([*HISTORY, unheard, foreign], facts) == {"leak"}
    # and a parent whose registration nobody heard of is told of no child that is not stored
    nobodys = query(STRANGER, child_id="child-of-nobody-known")
    assert kinds([*HISTORY, unheard, nobodys], facts) == {"leak"}


def test_a_refusal_may_repeat_what_was_asked_for_and_nothing_else():
    history = [*HISTORY, command(1, child_id=EMMA)]
    facts = Facts({MIA: COMMITS, EMMA: stream([command(1, child_id=EMMA)])})
    refused = replace(query(MOTHER, child_id=EMMA), status=404, answer={"instance": f"/v1/{EMMA}"})
    telling = replace(refused, answer={"detail": f"{EMMA} belongs to {STRANGER}"})

    assert check([*history, refused], facts) == []
    assert kinds([*history, telling], facts) == {"leak"}


def test_a_personal_value_in_a_log_is_a_leak():
    texts = {"the log worker.log": b"folded udid-7", "the topic events": b"sealed"}

    (leak,) = check(HISTORY, replace(FACTS, texts=texts, canaries=["udid-7"]))

    assert leak.kind == "leak"
    assert "worker.log" in leak.detail


def test_a_reader_who_sees_an_older_version_went_backwards():
    newer, older = query(MOTHER, child_id=MIA, version=3), query(MOTHER, child_id=MIA, version=2)

    assert kinds([*HISTORY, newer, older], FACTS) == {"backwards"}
    assert check([*HISTORY, newer, replace(older, reader="2")], FACTS) == []


def test_events_that_missed_the_topic_or_came_in_disorder_are_found_and_repetitions_are_right():
    assert kinds(HISTORY, replace(FACTS, published=PUBLISHED[:2])) == {"unpublished"}
    published = [(MIA, 1), (MIA, 3), (MIA, 2)]

    assert "order" in kinds(HISTORY, replace(FACTS, published=published))
    assert check(HISTORY, replace(FACTS, published=[*PUBLISHED, *PUBLISHED])) == []


def test_an_answer_that_explains_nothing_is_found():
    assert kinds([*HISTORY, replace(query(MOTHER), status=500)], FACTS) == {"answer"}
    assert check([*HISTORY, replace(query(MOTHER), status=503)], FACTS) == []


def test_what_a_bear_was_acknowledged_is_found_under_the_key_of_its_child():
    report = replace(
        command(2),
        subject="bear-of-mia",
        role="device",
        path=f"/v1/children/{MIA}/safety-violations",
    )
    history = [HISTORY[0], report]
    facts = Facts({MIA: stream(history)}, published=PUBLISHED[:2])

    assert check(history, facts) == []
    (lost,) = check(history, replace(facts, commits={MIA: COMMITS[:1]}, published=PUBLISHED[:1]))
    assert lost.kind == "lost"


def test_commits_whose_keys_another_index_key_made_are_nobodys():
    assert kinds(HISTORY, replace(FACTS, request_keys=RequestKeys(b"another"))) == {
        "lost",
        "unasked",
    }
