"""The golden files of events: each holds one event in the wire form of one schema version, sealed
under the key below. They never change."""

from pathlib import Path

import orjson

from shared.events.child import SCHEMA_VERSIONS, ChildEvent
from shared.keyring.keyring import ChildCipher
from shared.serialization.events import encode
from tests.support.event_samples import CHILD

GOLDEN = Path(__file__).parents[1] / "golden"
VERSION = 3
"""Of each event in its child's stream: values are sealed for their place."""
CIPHER = ChildCipher(CHILD, bytes(range(32)))


def path_of(event: ChildEvent) -> Path:
    """The file of its schema version of today."""
    return GOLDEN / f"{type(event).__name__}.v{SCHEMA_VERSIONS[type(event)]}.json"


def written(event: ChildEvent) -> str:
    """What stands in the file of `event`; ciphertexts differ each time."""
    content = orjson.loads(encode(event, VERSION, CIPHER).data)
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
