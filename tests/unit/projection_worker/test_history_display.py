import orjson
import pytest

from projection_worker.replay.history_display import in_words
from projection_worker.replay.personal_values import DESTROYED, SEALED, Personals
from shared.envelope import event_id
from shared.keyring.cipher import ChildCipher, field_place, new_data_key

CHILD = "0c9b7f6e-1111-4a7b-8a55-3f1f0a9d0001"


@pytest.fixture
def cipher() -> ChildCipher:
    return ChildCipher(CHILD, new_data_key())


def stored(cipher: ChildCipher) -> str:
    """As a read model holds a child's name."""
    place = field_place(event_id(CHILD, 1), "name")
    return f"1.name.{cipher.seal(orjson.dumps('Mia'), place)}"


def test_personal_values_stay_sealed_wherever_they_are(cipher: ChildCipher) -> None:
    document = {"age": 6, "name": stored(cipher), "entries": [{"details": stored(cipher)}]}

    shown = Personals(CHILD, cipher, reveal=False).shown(document)

    assert shown == {"age": 6, "name": SEALED, "entries": [{"details": SEALED}]}


def test_personal_values_are_opened_for_who_asks(cipher: ChildCipher) -> None:
    assert Personals(CHILD, cipher, reveal=True).shown({"name": stored(cipher)}) == {"name": "Mia"}


def test_without_the_key_nothing_can_be_opened(cipher: ChildCipher) -> None:
    assert Personals(CHILD, None, reveal=True).shown([stored(cipher)]) == [DESTROYED]


def test_text_that_only_looks_like_a_version_is_no_personal_value(cipher: ChildCipher) -> None:
    ordinary = ["1.2.3", "2026-11-23", "space", "1.name.short"]

    assert Personals(CHILD, cipher, reveal=False).shown(ordinary) == ordinary


def test_an_event_is_told_by_what_it_changed() -> None:
    assert in_words({"age": 9, "name": SEALED, "cleared": [], "topics": ["sea"]}) == (
        'age 9, name (sealed), topics ["sea"]'
    )
