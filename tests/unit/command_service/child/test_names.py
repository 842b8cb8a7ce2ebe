"""Which names are taken: those that people have, in whatever script, and nothing that hides."""

import sys
import unicodedata
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from command_service.child.errors import InvalidCommand
from command_service.child.state import Child
from command_service.child.visible_names import DEFAULT_IGNORABLE, UNASSIGNED, is_seen
from shared.events.child import ChildRegistered
from tests.support.child_facts import REGISTER
from tests.support.decider_spec import events_of

ZWNJ, ZWJ = "\u200c", "\u200d"

OF_PEOPLE = {
    "English, hyphen": "Anna-Lena Smith-Jones",
    "Irish, apostrophe": "Aoife O'Brien",
    "Irish, the curly one": "Aoife O\u2019Brien",
    "Hawaiian, \u02bbokina": "Ka\u02bbiulani Kahanamoku",
    "Catalan, middle dot": "Gal\u00b7la Marcel\u00b7l\u00ed",
    "Vietnamese, marks on marks": "Nguy\u1ec5n Th\u1ecb \u00c1nh",
    "Vietnamese, as typed": "Nguye\u0302\u0303n Thi\u0323 A\u0301nh",
    "Yoruba": "Ad\u00e9b\u00e1y\u00f2 \u1eccl\u00e1b\u00f3d\u00e9",
    "Turkish": "\u0130pek I\u015f\u0131l",
    "Icelandic": "\u00de\u00f3r\u00f0ur \u00c6sa",
    "Czech": "\u0160t\u011bp\u00e1n \u0158eho\u0159",
    "Khoisan, clicks": "!Gubi \u01c0Ui",
    "Greek": "\u1f48\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2",
    "Russian": "\u0410\u043b\u0451\u043d\u0430",
    "Ukrainian": "\u041c\u0430\u0440\u2019\u044f\u043d\u0430",
    "Armenian": "\u0531\u0576\u0561\u0570\u056b\u057f",
    "Georgian": "\u10d7\u10d0\u10db\u10d0\u10e0",
    "Hebrew, geresh": "\u05d2\u05f3\u05d5\u05e8\u05d2\u05f3",
    "Hebrew, points": "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "Arabic, vowel signs": "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
    "Arabic, tatweel": "\u0645\u062d\u0640\u0640\u0645\u062f",
    "Persian, non-joiner": f"\u0639\u0644\u06cc{ZWNJ}\u0631\u0636\u0627",
    "Persian, a family": f"\u0646\u06cc\u06a9{ZWNJ}\u0646\u0627\u0645",
    "Persian, joiner": f"\u0647{ZWJ} \u0631\u0636\u0627",
    "Kurdish, non-joiner at the end": f"\u0698\u06cc\u0646\u0647{ZWNJ}",
    "Urdu": "\u0639\u0627\u0626\u0634\u06c1",
    "Syriac": "\u0710\u0726\u072a\u071d\u0721",
    "Hindi": "\u0915\u0943\u0937\u094d\u0923 \u0936\u094d\u0930\u0940\u0930\u093e\u092e",
    "Marathi, eyelash ra": f"\u0930\u094d{ZWJ}\u092f\u093e\u091a\u0940",
    "Nepali, non-joiner": f"\u0930\u093e\u091c\u094d{ZWNJ}\u0915\u0941\u092e\u093e\u0930",
    "Bengali, ya-phala on ra": f"\u09b0{ZWJ}\u09cd\u09af\u09be\u099a\u09c7\u09b2",
    "Bengali, khanda ta": f"\u09b8\u09a4\u09cd{ZWJ}\u09af\u099c\u09bf\u09ce",
    "Gujarati": "\u0a9c\u0abf\u0a97\u0acd\u0aa8\u0ac7\u0ab6",
    "Tamil": "\u0bae\u0bc1\u0bb0\u0bc1\u0b95\u0ba9\u0bcd",
    "Kannada, non-joiner": f"\u0cb0\u0cbe\u0c9c\u0ccd{ZWNJ}\u0c95\u0cc1\u0cae\u0cbe\u0cb0\u0ccd",
    "Malayalam, chillu as it was written": f"\u0d05\u0d28\u0d35\u0d30\u0d4d{ZWJ}",
    "Sinhala, Sri": f"\u0dc1\u0dca{ZWJ}\u0dbb\u0dd3\u0db8\u0dad\u0dd3",
    "Thai": "\u0e2a\u0e21\u0e0a\u0e32\u0e22 \u0e1b\u0e34\u0e48\u0e19",
    "Lao": "\u0e9a\u0eb8\u0e99\u0ea1\u0eb5",
    "Khmer": "\u179f\u17bb\u1781",
    "Khmer, non-joiner": f"\u179f\u17ca{ZWNJ}\u17b8\u1793",
    "Burmese": "\u1021\u1031\u102c\u1004\u103a\u1006\u1014\u103a\u1038",
    "Tibetan": "\u0f56\u0f66\u0f9f\u0f53\u0f0b\u0f60\u0f5b\u0f72\u0f53",
    "Mongolian, a selector": "\u182a\u1820\u180b\u1832\u1824",
    "Mongolian, a vowel separator": "\u1830\u1820\u1837\u180e\u1820",
    "Amharic": "\u1270\u1235\u134b\u12ec",
    "N'Ko": "\u07cc\u07e3\u07ca\u07d8\u07ca",
    "Adlam": "\U0001e900\U0001e923\U0001e925\U0001e923",
    "Cherokee": "\u13a0\u13c2\u13a9",
    "Chinese": "\u674e\u5c0f\u9f99",
    "Chinese, beyond the first plane": "\u738b\U00020bb7",
    "Japanese, katakana with a middle dot": "\u30de\u30ea\u30a2\u30fb\u7530\u4e2d",
    "Japanese, a form of a Han ideograph": "\u845b\U000e0100\u57ce \u6e21\u9089\U000e0101",
    "Korean": "\uae40\ubbfc\uc900",
    "digits": "X \u00c6 A-12",
    "an emoji, which can be seen": "Lena \U0001f43b",
}

HIDING = {
    "a zero-width space": "Le\u200bna",
    "a joiner between Latin letters": f"Le{ZWJ}na",
    "a non-joiner between Latin letters": f"Le{ZWNJ}na",
    "a joiner at the start": f"{ZWJ}\u0639\u0644\u06cc",
    "two joiners in a row": f"\u0639\u0644\u06cc{ZWNJ}{ZWNJ}\u0631\u0636\u0627",
    "a joiner without a virama": f"\u0915{ZWJ}\u0937",
    "a joiner between Han ideographs": f"\u674e{ZWJ}\u5c0f",
    "a joiner between emoji": f"Lena \U0001f468{ZWJ}\U0001f467",
    "a selector behind an emoji": "Lena \u2764\ufe0f",
    "a selector behind a Latin letter": "Lena\U000e0100",
    "two selectors in a row": "\u845b\U000e0100\U000e0101",
    "a Mongolian selector elsewhere": "Lena\u180b",
    "a soft hyphen": "Le\u00adna",
    "right to left": "Le\u202ena",
    "an isolate": "\u2066Lena\u2069",
    "an Arabic mark of direction": "\u0639\u0644\u06cc\u061c",
    "a byte order mark": "\ufeffLena",
    "a tag": "Lena\U000e0041",
    "a Hangul filler": "\uae40\u3164",
    "a blank of braille": "\u2800\u2800",
    "an inherent vowel of Khmer": "\u179f\u17b4",
    "a private letter": "Lena \ue000",
    "a noncharacter": "Lena \uffff",
    "one of another plane": "Lena \U0001fffe",
    "not assigned": "Lena \u0378",
    "half of a pair": "Lena\ud800",
    "a line end": "Le\nna",
}


@pytest.mark.parametrize("name", OF_PEOPLE.values(), ids=OF_PEOPLE)
def test_a_name_that_people_have_is_taken(name: str):
    (registered, *_) = events_of(replace(REGISTER, name=name), Child())
    assert isinstance(registered, ChildRegistered)
    assert registered.name.reveal() == unicodedata.normalize("NFKC", name)


@pytest.mark.parametrize("name", HIDING.values(), ids=HIDING)
def test_a_name_that_hides_something_is_refused(name: str):
    with pytest.raises(InvalidCommand) as refused:
        events_of(replace(REGISTER, name=name), Child())
    assert [error.field for error in refused.value.errors] == ["name"]


@pytest.mark.parametrize("category", sorted(UNASSIGNED))
def test_of_a_category_that_no_name_has_nothing_is_seen(category: str):
    assert [hex(ord(c)) for c in _all_of()[category] if is_seen(f"Le{c}na")] == []


def test_of_all_other_categories_everything_is_seen_that_shows_something():
    hidden = {
        ord(character)
        for category, characters in _all_of().items()
        if category not in UNASSIGNED
        for character in characters
        if not is_seen(f"Le{character}na")
    }
    # these are no letters of anybody's name: each is default-ignorable or one of three blanks
    ignorable = {ord(each) for each in _ignorable()}
    assert hidden - ignorable == {0x2800, 0x1D159, 0x16FE4}


def test_what_unicode_lets_be_ignored_is_seen_nowhere_but_where_a_script_needs_it():
    for character in _ignorable():
        assert not is_seen(f"Le{character}na"), hex(ord(character))
        assert not is_seen(f"{character}Lena"), hex(ord(character))
    needed = {
        c for c in _ignorable() for beside in "\u06cc\u094d\u1820\u845b" if is_seen(beside + c)
    }
    selectors = {chr(point) for point in (*range(0x180B, 0x1810), *range(0xE0100, 0xE01F0))}
    assert needed <= {ZWNJ, ZWJ} | selectors


@settings(max_examples=300, deadline=None)
@over(st.text(max_size=40), st.text(max_size=40))
def test_names_of_what_is_seen_are_seen_together(first: str, last: str):
    if is_seen(first) and is_seen(last):
        assert is_seen(f"{first} {last}")


@cache
def _all_of() -> dict[str, list[str]]:
    """Every code point, by its general category."""
    by_category: dict[str, list[str]] = {}
    for point in range(sys.maxunicode + 1):
        by_category.setdefault(unicodedata.category(chr(point)), []).append(chr(point))
    return by_category


@cache
def _ignorable() -> tuple[str, ...]:
    spans = _spans(DEFAULT_IGNORABLE)
    return tuple(chr(point) for first, last in spans for point in range(first, last + 1))


def _spans(characters: str) -> list[tuple[int, int]]:
    """The spans of the inside of a character class."""
    spans: list[tuple[int, int]] = []
    place = 0
    while place < len(characters):
        is_span = characters[place + 1 : place + 2] == "-"
        last = characters[place + 2] if is_span else characters[place]
        spans.append((ord(characters[place]), ord(last)))
        place += 3 if is_span else 1
    return spans
