from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from command_service.child.errors import InvalidCommand
from command_service.child.field_checks import NAME, FieldChecks
from shared.auth.bears import BearIndex
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
def test_a_word_s_beginning_finds_the_name(query: str, name: str):
    assert _finds(query, name)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("ovel", "Zoë Lovelace"),
        ("zoe max", "Zoë Lovelace"),
        ("z", "Zoë"),
        ("o'nora", "O'Neil"),
        ("o'neil", "Sam Neil"),
        ("j l", "J. K."),
        ("", "Zoë"),
        ("!", "Zoë"),
    ],
)
def test_anything_else_does_not(query: str, name: str):
    assert not _finds(query, name)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("istanbul", "\u0130stanbul"),  # Turkish: a dot on the capital I
        ("ISIK", "I\u015f\u0131k"),  # and none on the small one
        ("strasse", "Stra\u00dfe"),
        ("STRA\u1e9eE", "strasse"),
        ("soren", "S\u00f8ren"),
        ("lukasz", "\u0141ukasz"),
        ("\u03bd\u03af\u03ba\u03bf\u03c3", "\u039d\u03af\u03ba\u03bf\u03c2"),  # sigma at the end
        ("\u03bd\u03b9\u03ba\u03bf", "\u039d\u03af\u03ba\u03bf\u03c2"),  # without the accent
        ("\u0435\u043b\u043a\u0430", "\u0401\u043b\u043a\u0430"),  # Cyrillic yo
        ("\u0645\u062d\u0645\u062f", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f"),  # vowels
        ("\u0627\u062d\u0645\u062f", "\u0623\u062d\u0645\u062f"),  # alef with hamza
        ("\u05e9\u05e8\u05d4", "\u05e9\u05b8\u05c1\u05e8\u05b8\u05d4"),  # Hebrew points
        ("\u0926\u0947\u0935\u0940", "\u0926\u0947\u0935\u0940"),  # Devanagari
        ("\u0926\u0947", "\u0926\u0947\u0935\u0940"),  # one syllable
        ("\uae40", "\uae40\ubbfc\uc900"),  # Hangul: one syllable
        ("\uae30", "\uae40\ubbfc\uc900"),  # and one that is still typed
        ("\u1100\u1175\u11b7", "\uae40\ubbfc\uc900"),  # and its letters
        ("\u718a", "\u5c0f\u718a"),  # Han: one character, anywhere
        ("\u5c0f\u660e", "\u738b\u5c0f\u660e"),  # the given name
        ("\u3055\u304f\u3089\u3053", "\u5c71\u7530\u3055\u304f\u3089\u3053"),  # kana after Han
        ("\u30b5\u30af\u30e9", "\uff7b\uff78\uff97"),  # half-width kana
        ("\u30ac", "\uff76\uff9e"),  # and a voiced one
        ("\u0e2a\u0e21", "\u0e2a\u0e21\u0e0a\u0e32\u0e22"),  # Thai
        ("\u0e0a\u0e32\u0e22", "\u0e2a\u0e21\u0e0a\u0e32\u0e22"),  # its second part
        ("anna", "\uff21\uff2e\uff2e\uff21"),  # full-width
        ("zoe", "Zoe\u0308"),  # decomposed
        ("lina", "Li\u00adna"),  # a soft hyphen
        ("\u5c0f", "Anna\u5c0f\u718a"),  # two scripts in one
    ],
)
def test_ways_to_write_the_same_name_find_it(query: str, name: str):
    assert _finds(query, name)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("O'Neil", "O'Neil"),
        ("o\u2019neil", "O'Neil"),  # the curly apostrophe
        ("o'neil", "O\u2019Neil"),
        ("o'neil", "O\u02bcNeil"),  # the apostrophe that is a letter
        ("o'neil", "O\uff07Neil"),  # full-width
        ("o'neil", "O\u00b4Neil"),  # an accent for an apostrophe
        ("o'neil", "O`Neil"),
        ("o'neil", "O Neil"),
        ("oneil", "O'Neil"),
        ("o neil", "O'Neil"),
        ("neil", "O'Neil"),
        ("o'n", "O'Neil"),  # still being typed
        ("d'arc", "Jeanne d'Arc"),
        ("jeanne darc", "Jeanne d'Arc"),
        ("\u043c\u0430\u0440'\u044f", "\u041c\u0430\u0440\u02bc\u044f"),
        ("quran", "Qur\u02be\u0101n"),
        ("anna l", "Anna L"),
        ("anna l", "Anna Lovelace"),  # still being typed
        ("l anna", "Anna L."),
        ("anna-lena", "Anna Lena"),
        ("anna lena", "Anna-Lena"),
        ("annalena", "Anna\u2010Lena"),  # Unicode's own hyphen
        ("lena-anna", "Anna-Lena"),
        ("j k rowan", "J. K. Rowan"),
        ("jk rowan", "J.K. Rowan"),
        ("jk", "J. K. Rowan"),
        ("j.k.", "J K"),
        ("j.rowan", "J. Rowan"),
        ("x \u00e6 a-12", "X \u00c6 A-12"),
        ("l.", "L."),
        ("!!", "!!"),
        ("\U0001f43b \U0001f43b", "\U0001f43b\U0001f43b"),  # two bears
    ],
)
def test_what_joins_the_parts_of_a_name_makes_no_difference(query: str, name: str):
    assert _finds(query, name)


@given(st.text(min_size=2, max_size=120))
@example("a\u0301 b")
@example("\u0e33\u0e33")
def test_whatever_can_be_registered_is_found_by_itself(text: str):
    # given
    checks = FieldChecks()
    name = checks.name("name", text, NAME)
    with suppress(InvalidCommand):
        checks.raise_errors()
        # when / then
        assert _finds(name, name)
        assert _finds(text, name)
        assert _finds(name.upper(), name)


def test_tokens_of_a_long_name_are_bounded_and_names_of_a_letter_not_to_be_counted():
    (letter,) = INDEX.tokens_of("L.")
    assert letter not in INDEX.tokens_of("Lena") + INDEX.tokens_of("Anna L")
    assert len(INDEX.tokens_of("\u718a" * 50 + "\u5c0f" * 50)) <= 400
    assert len(INDEX.tokens_of("a" * 100)) == 19


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("\u0926\u093f", "\u0926\u0947\u0935\u0940"),  # another vowel is another name
        ("\u304b", "\u304c"),  # ka is not ga
        ("\u0e2a\u0e34", "\u0e2a\u0e35"),  # short i is not long i
        ("\u660e\u5c0f", "\u738b\u5c0f\u660e"),  # the other way round
        ("\u043e\u043b\u044f", "olya"),  # no letter of another script, however alike
    ],
)
def test_other_names_are_not_found(query: str, name: str):
    assert not _finds(query, name)


def test_tokens_come_once_in_an_order_that_hides_the_word_and_tell_nothing_without_the_key():
    assert set(INDEX.tokens_of("Zoë")).isdisjoint(SearchIndex(b"k" * 32).tokens_of("Zoë"))
    tokens = INDEX.tokens_of("Zoë Zoë")
    assert list(tokens) == sorted(set(tokens))
    assert len(tokens) == 2


def test_a_udid_key_is_the_bear_s_alone():
    bears = BearIndex(b"i" * 32)
    assert bears.udid_key("TEDDY-1") == bears.udid_key("TEDDY-1")
    assert bears.udid_key("TEDDY-1") != bears.udid_key("TEDDY-2")
    assert bears.udid_key("TEDDY-1") != BearIndex(b"k" * 32).udid_key("TEDDY-1")


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u0639\u0644\u06cc\u0631\u0636\u0627"),
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u0dbb\u0dd3"),
        ("\u182a\u1820\u180b\u1832\u1824", "\u182a\u1820\u1832\u1824"),
        ("\u845b\U000e0100\u57ce", "\u845b\u57ce"),
    ],
    ids=["Persian", "Sinhala", "Mongolian", "Japanese"],
)
def test_joiners_and_selectors_make_no_difference(name: str, without: str):
    assert INDEX.tokens_of(name) == INDEX.tokens_of(without)
    assert INDEX.tokens_to_find(name) == INDEX.tokens_to_find(without)
