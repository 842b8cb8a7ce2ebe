from shared.event_store.envelope import (
    StreamPosition,
    after_all_commits,
    commit_id,
    event_id,
    seal_commit,
)
from tests.support.commits import an_offer


def test_commit_ids_sort_by_child_and_then_by_version() -> None:
    places = [(child, version) for child in ("child-a", "child-b") for version in (1, 9, 10, 1_000)]
    assert sorted(places, key=lambda place: commit_id(*place)) == places


def test_the_end_of_a_child_sorts_between_its_commits_and_the_next_child() -> None:
    assert commit_id("child-a", 9_999_999_999) < after_all_commits("child-a")
    assert after_all_commits("child-a") < commit_id("child-b", 1)


def test_the_events_of_a_commit_continue_the_versions_of_the_stream() -> None:
    commit = seal_commit(an_offer("child-1", StreamPosition(4, "hash"), events=3))
    events = list(commit.recorded_events())
    assert [event.version for event in events] == [5, 6, 7]
    assert [event.event_id for event in events] == [event_id("child-1", v) for v in (5, 6, 7)]
    assert commit.position == StreamPosition(7, commit.hash)
