"""The ledger of the durability tests finds what is planted."""

from tests.apache_kafka.ledger import Ledger, compare, streams_of

ANSWERS = [
    {"child_id": "mia", "version": 1, "events": ["ChildRegistered"]},
    {"child_id": "mia", "version": 3, "events": ["ViolationReported", "ChildDeactivated"]},
    {"child_id": "mia", "version": 3, "events": []},
    {"child_id": "noah", "version": 1, "events": ["ChildRegistered"]},
]
STREAMS = streams_of(ANSWERS)
TOPIC = [("mia", 1), ("noah", 1), ("mia", 2), ("mia", 3)]


def ledger(
    stored: dict[str, dict[int, str]] | None = None, published: list[tuple[str, int]] | None = None
) -> Ledger:
    return compare(STREAMS, stored or STREAMS, published or TOPIC, len(ANSWERS))


def without(child_id: str, version: int) -> dict[str, dict[int, str]]:
    kept = {v: event_type for v, event_type in STREAMS[child_id].items() if v != version}
    return {**STREAMS, child_id: kept}


def test_when_everything_is_there_the_ledger_is_clean():
    found = ledger()

    assert found.clean
    assert (found.commands, found.events, found.lost, found.repeated) == (4, 4, 0, 0)


def test_events_that_the_store_lost_or_has_otherwise_and_those_nobody_was_told_of_are_named():
    found = ledger(stored=without("mia", 3))

    assert (found.clean, found.lost, found.missing_in_store) == (False, 1, ["mia@3"])
    found = ledger(stored={**STREAMS, "noah": {1: "ChildErased"}})

    assert (found.missing_in_store, found.unexplained_in_store) == (["noah@1"], ["noah@1"])
    found = ledger(stored={**STREAMS, "noah": {**STREAMS["noah"], 2: "ChildErased"}})

    assert (found.clean, found.lost, found.unexplained_in_store) == (False, 0, ["noah@2"])


def test_events_that_miss_the_topic_or_come_in_disorder_are_found_and_repetitions_counted():
    found = ledger(published=[("mia", 1), ("noah", 1), ("mia", 3)])

    assert (found.clean, found.lost, found.missing_on_topic) == (False, 1, ["mia@2"])
    found = ledger(published=[("mia", 1), ("noah", 1), ("mia", 3), ("mia", 2)])

    assert (found.clean, found.out_of_order) == (False, ["mia"])
    found = ledger(published=[*TOPIC, ("mia", 2), ("mia", 3), ("somebody else", 1)])

    assert (found.clean, found.repeated) == (True, 2)
