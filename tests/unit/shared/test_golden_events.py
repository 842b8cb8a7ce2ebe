"""Published events stay readable for ever.

`tests/golden/<type>.v<schema version>.json` holds the wire form of one event as it was written when
that schema version was published, sealed under the key below. The files never change.
"""

from typing import Any

import orjson
import pytest

from shared.event_store.envelope import RecordedEvent
from shared.events.child import SCHEMA_VERSIONS, ChildEvent
from shared.serialization.events import decode, encode
from tests.support.commits import NOON
from tests.support.event_samples import CHILD, EVENTS
from tests.support.golden_events import CIPHER, GOLDEN, VERSION

EXPECTED: dict[str, ChildEvent] = {
    f"{type(event).__name__}.v{schema_version}": event
    for event in EVENTS
    for schema_version in range(1, SCHEMA_VERSIONS[type(event)] + 1)
}
"""What each golden file means today; a new schema version adds its line."""


def _read(name: str) -> tuple[RecordedEvent, dict[str, Any]]:
    path = GOLDEN / f"{name}.json"
    event_type, _, schema_version = name.rpartition(".v")
    assert path.exists(), f"there is no {path}: run `.venv/bin/python -m tests.golden {event_type}`"
    content = orjson.loads(path.read_bytes())
    data = orjson.dumps(content).decode()
    recorded = RecordedEvent(
        CHILD, VERSION, event_type, int(schema_version), NOON, NOON, data, "correlation-1"
    )
    return recorded, content


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_event_is_read_as_it_was_meant(name: str) -> None:
    recorded, _ = _read(name)
    event = decode(recorded, CIPHER)
    assert event == EXPECTED[name]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_are_still_written_with_the_published_fields(event: ChildEvent) -> None:
    _, published = _read(f"{type(event).__name__}.v{SCHEMA_VERSIONS[type(event)]}")
    written = orjson.loads(encode(event, VERSION, CIPHER).data)
    assert _without_ciphertext(written) == _without_ciphertext(published)


def test_every_schema_version_of_every_event_has_a_golden_file() -> None:
    # given
    published = {
        f"{event_class.__name__}.v{schema_version}"
        for event_class, newest in SCHEMA_VERSIONS.items()
        for schema_version in range(1, newest + 1)
    }
    # when
    golden = {path.stem for path in GOLDEN.glob("*.json")}
    # then
    missing = sorted(published - golden)
    assert golden == published, f"run .venv/bin/python -m tests.golden for {missing}"
    assert published == set(EXPECTED)


def _without_ciphertext(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "sealed" if isinstance(value, dict) and "$sealed" in value else value
        for name, value in content.items()
    }
