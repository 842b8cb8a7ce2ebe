"""Which language a reader is shown."""

from collections.abc import Mapping

from query_service.pages.english import ENGLISH
from query_service.pages.german import GERMAN
from query_service.pages.texts import Texts

MOST_HEADER_CHARACTERS = 200
"""Of `Accept-Language`; what comes behind is not read."""

LANGUAGES: Mapping[str, Texts] = {"en": ENGLISH, "de": GERMAN}


def texts_for(accept_language: str) -> Texts:
    """The first language of `Accept-Language` (RFC 9110, by weight) that there is; else English."""
    weighed = [_weighed(part) for part in accept_language[:MOST_HEADER_CHARACTERS].split(",")]
    for _, language in sorted(weighed, key=lambda one: -one[0]):
        if language in LANGUAGES:
            return LANGUAGES[language]
    return ENGLISH


def _weighed(part: str) -> tuple[float, str]:
    language, _, parameter = part.partition(";")
    weight = parameter.strip().removeprefix("q=")
    try:
        number = float(weight) if weight else 1.0
    except ValueError:
        number = 0.0
    return number, language.strip().partition("-")[0].lower()
