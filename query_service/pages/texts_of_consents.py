"""The texts of the history of a child's consents, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsentTexts:
    """As Texts. `title`: of a purpose; `given`, `withdrawn`: when, and by whom."""

    title: str
    given: str
    withdrawn: str
    notice_unreadable: str
    unreadable: str
    older: str
    away: str
    roles: Mapping[str, str]


CONSENTS_IN_ENGLISH = ConsentTexts(
    title="History: {}",
    given="given {} by {}",
    withdrawn="withdrawn {} by {}",
    notice_unreadable="The version of the notice cannot be read.",
    unreadable="Some of the history cannot be read. Please tell the operator.",
    older="Only the latest changes are shown. The download of everything has all of them.",
    away="The history cannot be read at the moment.",
    roles={"parent": "the parent", "admin": "an administrator"},
)

CONSENTS_IN_GERMAN = ConsentTexts(
    title="Verlauf: {}",
    given="erteilt {}, {}",
    withdrawn="widerrufen {}, {}",
    notice_unreadable="Die Fassung der Hinweise ist nicht lesbar.",
    unreadable="Ein Teil des Verlaufs ist nicht lesbar. Bitte sagen Sie es dem Betrieb.",
    older="Hier stehen nur die letzten Änderungen. Alle stehen in der Datei mit allen Daten.",
    away="Der Verlauf lässt sich gerade nicht lesen.",
    roles={"parent": "durch den Elternteil", "admin": "durch die Administration"},
)
