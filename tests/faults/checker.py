"""What must hold after any fault. Pure: judges a history and facts that others have loaded."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from command_service.api.command_route import RequestKeys
from shared.auth.access import Principal, Role
from shared.event_store.envelope import ChainBroken, Commit, verify_chain
from tests.faults.history import PASSING, Entry
from tests.faults.leaks import personal_values, strangers_in_answers


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that did not hold, of which kind, and where."""

    kind: str
    detail: str


NO_INDEX_KEY = RequestKeys(b"")
"""Of facts that a test made up."""

AsSent = tuple[str, str, str]
"""Role, subject and key of a command's caller."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the databases, the topic and the logs hold once everything is at rest.

    `commits`: by child. `unchanged`: those without events, which keep the keys of commands that
    changed nothing.
    `read_model_differences`: as the verification reported them. `dead_lettered`: children who are
    still dead-lettered, whatever else they differ in. `undelivered`: alerts that nobody
    delivered. `published`: (child, version) in the order of the topic's partitions; None where the
    broker was made to lose records. `texts`: all that was written, by place; `canaries`: what must
    be in none of them. `request_keys`: what made the keys in the commits.
    """

    commits: Mapping[str, Sequence[Commit]]
    unchanged: Sequence[Commit] = ()
    read_model_differences: Sequence[str] = ()
    dead_lettered: frozenset[str] = frozenset()
    undelivered: Sequence[str] = ()
    published: Sequence[tuple[str, int]] | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    canaries: Sequence[str] = ()
    lag: str = ""
    request_keys: RequestKeys = NO_INDEX_KEY


def check(history: Sequence[Entry], facts: Facts) -> list[Violation]:
    """Everything that does not hold; empty is what it should be."""
    return [
        *_acknowledged_once(history, facts),
        *_streams_whole(facts),
        *_refused_without_trace(history, facts),
        *(Violation("read-model", one) for one in facts.read_model_differences),
        *(
            Violation("dead-lettered", f"{one} is still dead-lettered")
            for one in sorted(facts.dead_lettered)
        ),
        *(Violation("undelivered", one) for one in facts.undelivered),
        *_published_in_order(history, facts),
        *_nothing_unexplained(history),
        *_nothing_unasked(history, facts),
        *_nothing_backwards(history),
        *(Violation("leak", one) for one in strangers_in_answers(history, facts.commits)),
        *(Violation("leak", one) for one in personal_values(facts.texts, facts.canaries)),
        *([Violation("lag", facts.lag)] if facts.lag else []),
    ]


def acknowledged(history: Iterable[Entry]) -> dict[AsSent, Entry]:
    """The last accepted answer by key, as its caller sent it."""
    return {as_sent(e): e for e in history if e.is_command and e.accepted and e.key}


def _answers(history: Iterable[Entry]) -> dict[AsSent, list[Mapping[str, object]]]:
    """All accepted answers by key: one command, one answer."""
    answers: dict[AsSent, list[Mapping[str, object]]] = defaultdict(list)
    for entry in history:
        if entry.is_command and entry.accepted and entry.key:
            answers[as_sent(entry)].append(entry.answer)
    return answers


def as_sent(entry: Entry) -> AsSent:
    """Callers do not meet each other's keys."""
    assert entry.key is not None
    return entry.role, entry.subject, entry.key


def stored_key(entry: Entry, request_keys: RequestKeys) -> str:
    """The idempotency key as the event store holds it: that of a bear is its child's."""
    assert entry.key is not None
    _, _, about, *_ = *entry.path.removeprefix("/v1").split("/"), "", ""
    return request_keys.stored(entry.key, Principal(entry.subject, Role(entry.role)), about)


def _acknowledged_once(history: Sequence[Entry], facts: Facts) -> Iterator[Violation]:
    """Each acknowledged command's events, or its key alone where it changed nothing, are in the
    store once, where its only answer said."""
    stored: dict[str, list[Commit]] = defaultdict(list)
    for commit in _all(facts):
        if commit.idempotency is not None:
            stored[commit.idempotency.key].append(commit)
    for sent, answers in _answers(history).items():
        if any(one != answers[0] for one in answers):
            yield Violation("answer", f"the key {sent} was answered with {answers}")
    for entry in acknowledged(history).values():
        events = entry.answer.get("events", [])
        noted = f"{entry.method} {entry.path} {entry.key} (correlation {entry.correlation_id})"
        commits = stored.get(stored_key(entry, facts.request_keys), [])
        if not commits:
            yield Violation("lost", f"{noted}: no commit")
        for commit in commits:
            names = [event.type for event in commit.events]
            if (commit.last_version, names) != (entry.answer["version"], events):
                place = f"version {commit.last_version} {names}"
                said = f"version {entry.answer['version']} {events}"
                yield Violation("lost", f"{noted}: the store has {place}, the answer was {said}")
    for key, commits in stored.items():
        if len(commits) > 1:
            places = ", ".join(f"{c.child_id}@{c.first_version}" for c in commits)
            yield Violation("duplicate", f"one command, {len(commits)} commits: {places} ({key})")


def _streams_whole(facts: Facts) -> Iterator[Violation]:
    for child_id, commits in facts.commits.items():
        try:
            verify_chain(list(commits))
        except ChainBroken as broken:
            yield Violation("gap", f"{child_id}@{broken.version}: {broken.reason}")


def _refused_without_trace(history: Sequence[Entry], facts: Facts) -> Iterator[Violation]:
    done = {stored_key(e, facts.request_keys) for e in acknowledged(history).values()}
    refused = {
        stored_key(e, facts.request_keys): e
        for e in history
        if e.is_command and e.refused and e.key
    }
    for commit in _all(facts):
        key = commit.idempotency.key if commit.idempotency else None
        if key in refused and key not in done:
            entry = refused[key]
            yield Violation("trace", f"{entry.path} was refused ({entry.status}) and is stored")


def _nothing_unexplained(history: Sequence[Entry]) -> Iterator[Violation]:
    """Whatever is away, an answer tells when to come again: 503, never 500."""
    for entry in history:
        if entry.status >= 500 and entry.status not in PASSING:
            place = f"{entry.method} {entry.path} (correlation {entry.correlation_id})"
            yield Violation("answer", f"{place} was answered {entry.status}")


def _nothing_unasked(history: Sequence[Entry], facts: Facts) -> Iterator[Violation]:
    """Each commit of a child that this run registered is of a command that this run sent."""
    asked = {stored_key(e, facts.request_keys) for e in history if e.is_command and e.key}
    for child_id, commits in _ours(history, facts).items():
        for commit in commits:
            if commit.idempotency is not None and commit.idempotency.key not in asked:
                yield Violation("unasked", f"{child_id}@{commit.first_version}: nobody sent that")


def _published_in_order(history: Sequence[Entry], facts: Facts) -> Iterator[Violation]:
    """Every version is on the topic, first appearances in order.

    Of children that this run registered: a broker may have lost others, and got them back anywhere.
    """
    if facts.published is None:
        return
    ours = _ours(history, facts)
    reached: Counter[str] = Counter()
    for child_id, version in facts.published:
        if child_id not in ours:
            continue
        if version > reached[child_id] + 1:
            yield Violation("order", f"{child_id}: {version} published after {reached[child_id]}")
        reached[child_id] = max(reached[child_id], version)
    for child_id, commits in ours.items():
        last = commits[-1].last_version
        if reached[child_id] < last:
            yield Violation("unpublished", f"{child_id}: {reached[child_id]} of {last} published")


def _nothing_backwards(history: Sequence[Entry]) -> Iterator[Violation]:
    """What one reader sees of a child never becomes older."""
    seen: dict[tuple[str, str], int] = {}
    for entry in history:
        if not entry.reader or not entry.accepted or "version" not in entry.answer:
            continue
        place, version = (entry.reader, entry.path), int(entry.answer["version"])
        if version < seen.get(place, 0):
            before = seen[place]
            yield Violation("backwards", f"{entry.reader} {entry.path}: {before}, then {version}")
        seen[place] = max(version, seen.get(place, 0))


def _ours(history: Sequence[Entry], facts: Facts) -> Mapping[str, Sequence[Commit]]:
    """The streams of children whom somebody in this history wanted to register."""
    families = {e.subject for e in history if e.is_command and e.path == "/v1/children"}
    return {c: s for c, s in facts.commits.items() if s[0].actor.subject in families}


def _all(facts: Facts) -> Iterator[Commit]:
    for commits in facts.commits.values():
        yield from commits
    yield from facts.unchanged
