"""The texts of the page that tells how a child's consents changed, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsentTexts:
    """As Texts. `changes`, `roles`: by the API's names."""

    title: str
    back: str
    help: str
    unreadable: str
    what: str
    purpose: str
    notice: str
    method: str
    who: str
    empty: str
    changes: Mapping[str, str]
    roles: Mapping[str, str]


CONSENTS_IN_ENGLISH = ConsentTexts(
    title="How the consents changed",
    back="The child",
    help="Each consent that was given or withdrawn, the newest first.",
    unreadable="Some of the history cannot be read. Please tell the operator.",
    what="What",
    purpose="Purpose",
    notice="Privacy notice",
    method="Identity verified",
    who="By whom",
    empty="No consent was given yet.",
    changes={"given": "given", "withdrawn": "withdrawn"},
    roles={"parent": "the parent", "admin": "an administrator"},
)

CONSENTS_IN_GERMAN = ConsentTexts(
    title="Verlauf der Einwilligungen",
    back="Das Kind",
    help="Jede Einwilligung, die erteilt oder widerrufen wurde, die neueste zuerst.",
    unreadable="Ein Teil des Verlaufs ist nicht lesbar. Bitte sagen Sie es dem Betrieb.",
    what="Was",
    purpose="Zweck",
    notice="Datenschutzhinweise",
    method="Identität geprüft",
    who="Durch wen",
    empty="Es wurde noch keine Einwilligung erteilt.",
    changes={"given": "erteilt", "withdrawn": "widerrufen"},
    roles={"parent": "den Elternteil", "admin": "die Administration"},
)
