import pytest

from shared.keyring.search_index import SearchIndex

INDEX = SearchIndex(bytes(32))


def _finds(query: str, name: str) -> bool:
    wanted = INDEX.tokens_to_find(query)
    return bool(wanted) and set(wanted) <= set(INDEX.tokens_of(name))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("zo", "Zoë Lovelace"),
        ("ZOE", "zoë lovelace"),
        ("love", "Zoë Lovelace"),
        ("lovelace zoe", "Zoë Lovelace"),
        ("zoe l", "Zoë Lovelace"),
        ("Straße", "STRASSE"),
        ("小熊", "小熊宝宝"),
        ("محمد", "محمد علي"),
        ("o'br", "O'Brian"),
        ("maximilianalexanderfriedrich", "Maximilianalexanderfriedrich"),
    ],
)
def test_a_word_s_beginning_finds_the_name(query: str, name: str) -> None:
    assert _finds(query, name)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("ovel", "Zoë Lovelace"),
        ("zoe max", "Zoë Lovelace"),
        ("z", "Zoë"),
        ("", "Zoë"),
        ("!", "Zoë"),
    ],
)
def test_anything_else_does_not(query: str, name: str) -> None:
    assert not _finds(query, name)


def test_tokens_tell_nothing_without_the_key() -> None:
    assert set(INDEX.tokens_of("Zoë")).isdisjoint(SearchIndex(b"k" * 32).tokens_of("Zoë"))


def test_tokens_come_once_and_in_an_order_that_hides_the_word() -> None:
    tokens = INDEX.tokens_of("Zoë Zoë")
    assert list(tokens) == sorted(set(tokens))
    assert len(tokens) == 2


def test_a_claim_key_is_the_bear_s_alone() -> None:
    assert INDEX.claim_key("TEDDY-1") == INDEX.claim_key("TEDDY-1")
    assert INDEX.claim_key("TEDDY-1") != INDEX.claim_key("TEDDY-2")
    assert INDEX.claim_key("TEDDY-1") != SearchIndex(b"k" * 32).claim_key("TEDDY-1")
