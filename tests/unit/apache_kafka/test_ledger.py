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


def test_when_everything_is_there_the_ledger_is_clean() -> None:
    found = ledger()

    assert found.clean
    assert (found.commands, found.events, found.lost, found.repeated) == (4, 4, 0, 0)


def test_an_event_that_the_store_lost_is_named() -> None:
    found = ledger(stored=without("mia", 3))

    assert (found.clean, found.lost, found.missing_in_store) == (False, 1, ["mia@3"])


def test_an_event_that_is_another_one_in_the_store_is_lost_and_unexplained() -> None:
    found = ledger(stored={**STREAMS, "noah": {1: "ChildErased"}})

    assert (found.missing_in_store, found.unexplained_in_store) == (["noah@1"], ["noah@1"])


def test_an_event_that_nobody_was_told_of_is_named() -> None:
    found = ledger(stored={**STREAMS, "noah": {**STREAMS["noah"], 2: "ChildErased"}})

    assert (found.clean, found.lost, found.unexplained_in_store) == (False, 0, ["noah@2"])


def test_an_event_that_never_reached_the_topic_is_named() -> None:
    found = ledger(published=[("mia", 1), ("noah", 1), ("mia", 3)])

    assert (found.clean, found.lost, found.missing_on_topic) == (False, 1, ["mia@2"])


def test_versions_that_first_appear_out_of_order_are_found() -> None:
    found = ledger(published=[("mia", 1), ("noah", 1), ("mia", 3), ("mia", 2)])

    assert (found.clean, found.out_of_order) == (False, ["mia"])


def test_records_that_come_again_are_counted_and_are_no_fault() -> None:
    found = ledger(published=[*TOPIC, ("mia", 2), ("mia", 3), ("somebody else", 1)])

    assert (found.clean, found.repeated) == (True, 2)
