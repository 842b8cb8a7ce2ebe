import orjson
import pytest

from projection_worker.replay.documents import CLOSED, DESTROYED, MASKED, Personals
from projection_worker.replay.history_display import in_words
from shared.event_store.envelope import event_id
from shared.keyring.keyring import ChildCipher, field_place, new_data_key

CHILD = "0c9b7f6e-1111-4a7b-8a55-3f1f0a9d0001"


@pytest.fixture
def cipher() -> ChildCipher:
    return ChildCipher(CHILD, new_data_key())


def stored(cipher: ChildCipher, name: str = "name", of: str | None = None) -> str:
    """As a read model holds a child's name, or what is `of` a violation."""
    place = field_place(event_id(CHILD, 1), name, of)
    return f"1.{name}.{cipher.seal(orjson.dumps('Mia'), place)}"


def test_personal_values_stay_sealed_wherever_they_are(cipher: ChildCipher) -> None:
    document = {
        "age": 6,
        "name": stored(cipher),
        "entries": [{"details": stored(cipher, "details")}],
    }

    shown = Personals(CHILD, cipher, reveal=False).shown(document)

    assert shown == {"age": 6, "name": MASKED, "entries": [{"details": MASKED}]}


def test_personal_values_are_opened_for_who_asks(cipher: ChildCipher) -> None:
    document = {"name": stored(cipher), "violations": [_violation("v-1", cipher)]}

    shown = Personals(CHILD, cipher, reveal=True).shown(document)

    assert shown == {"name": "Mia", "violations": [{"id": "v-1", "details": "Mia"}]}


def test_a_value_that_was_moved_does_not_open(cipher: ChildCipher) -> None:
    other = _violation("v-1", cipher)["details"]
    document = {"udid": stored(cipher), "violations": [{"id": "v-2", "details": other}]}

    shown = Personals(CHILD, cipher, reveal=True).shown(document)

    assert shown == {"udid": CLOSED, "violations": [{"id": "v-2", "details": CLOSED}]}


def test_without_the_key_nothing_can_be_opened(cipher: ChildCipher) -> None:
    assert Personals(CHILD, None, reveal=True).shown({"name": stored(cipher)}) == {
        "name": DESTROYED
    }


def test_text_that_only_looks_like_a_version_is_no_personal_value(cipher: ChildCipher) -> None:
    ordinary = {"interests": ["1.2.3", "2026-11-23", "1.name.short"], "topic": stored(cipher)}

    assert Personals(CHILD, cipher, reveal=False).shown(ordinary) == ordinary


def _violation(violation_id: str, cipher: ChildCipher) -> dict[str, str]:
    return {"id": violation_id, "details": stored(cipher, "details", of=violation_id)}


def test_an_event_is_reported_by_what_it_changed() -> None:
    assert in_words({"age": 9, "name": MASKED, "cleared": [], "topics": ["sea"]}) == (
        'age 9, name (sealed), topics ["sea"]'
    )
