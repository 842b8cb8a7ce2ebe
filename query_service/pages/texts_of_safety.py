"""The texts of the safety officers' pages, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass

from query_service.pages.texts_of_looks import LOOKS_IN_ENGLISH, LOOKS_IN_GERMAN, LooksTexts


@dataclass(frozen=True, slots=True)
class SafetyTexts:
    """`{}` stands for a value. `refusals`: why something was not saved, by the code of the command
    API's refusal, or of what is missing in a form."""

    queue: str
    back: str
    status: str
    severity: str
    any_severity: str
    assignee: str
    anyone: str
    me: str
    order: str
    show: str
    states: Mapping[str, str]
    orders: Mapping[str, str]
    empty: str
    child: str
    nobody: str
    with_you: str
    with_other: str
    take: str
    take_over: str
    release: str
    resolved_by: str
    note: str
    reopened: str
    family_saw: str
    ages: Mapping[str, str]
    about: str
    account: str
    family: str
    open_of_all: str
    resolve: str
    outcome: str
    choose: str
    note_field: str
    kept: str
    save: str
    reopen: str
    reason_field: str
    evidence: str
    evidence_file: str
    evidence_help: str
    looks: LooksTexts
    refusals: Mapping[str, str]


SAFETY_ENGLISH = SafetyTexts(
    queue="Incidents of all children",
    back="All incidents",
    status="Status",
    severity="Severity",
    any_severity="any",
    assignee="Assigned to",
    anyone="anyone or nobody",
    me="me",
    order="Order",
    show="Show",
    states={"open": "open", "resolved": "resolved", "all": "all"},
    orders={"severity": "most severe first", "oldest": "oldest first", "newest": "newest first"},
    empty="No incidents like this.",
    child="Child {}",
    nobody="Nobody looks into it",
    with_you="You look into it",
    with_other="{} looks into it",
    take="Take it",
    take_over="Take it over",
    release="Release",
    resolved_by="by {}",
    note="Note",
    reopened="Reopened ({})",
    family_saw="seen by the family",
    ages={
        "now": "just now",
        "minutes": "{} min",
        "hours": "{} h",
        "day": "{} day",
        "days": "{} days",
    },
    about="About the child",
    account="Account",
    family="Family",
    open_of_all="{} of {} open",
    resolve="Resolve",
    outcome="Outcome",
    choose="Choose one",
    note_field="Note (may be empty)",
    kept="Up to {} characters. The family finds it in its export.",
    save="Save",
    reopen="Reopen",
    reason_field="Reason",
    evidence="Evidence of this incident",
    evidence_file="Download the evidence",
    evidence_help="One file that anybody can check: the incident as stored, and who was shown the "
    "child's data since. Personal values in it stay encrypted.",
    looks=LOOKS_IN_ENGLISH,
    refusals={
        "violation-already-resolved": "Not saved: the incident is resolved already.",
        "violation-already-assigned": "Not saved: somebody else looks into it by now, as you see "
        "here.",
        "violation-not-resolved": "Not saved: the incident is open already.",
        "violation-not-found": "Not saved: there is no such incident.",
        "child-erased": "Not saved: the data of this child was erased.",
        "child-not-found": "Not saved: there is no such child.",
        "concurrent-update": "Not saved: something else happened to the child at the same moment. "
        "Please try again.",
        "idempotency-key-reused": "Not saved again: this form was sent before, with other content. "
        "Here is what was saved then.",
        "invalid-request": "Not saved: something in the form is not allowed.",
        "forbidden": "Not saved: you may not do this.",
        "too-many-requests": "Not saved: that was too often. Please wait a moment.",
        "outcome-missing": "Not saved: please choose an outcome.",
        "note-too-long": "Not saved: the note is too long.",
        "reason-missing": "Not saved: please say why.",
        "reason-too-long": "Not saved: the reason is too long.",
        "form-incomplete": "Not saved: the form was incomplete. Please use the one on this page.",
        "evidence-not-signed-yet": "No file yet: the audit trail is signed about once a minute. "
        "Please try again in a minute.",
        "evidence-too-long": "No file: too much was recorded since the incident to be read here. "
        "An operator gets the same file from the command line.",
        "overloaded": "No file yet: another one is being put together. Please try again in a "
        "moment.",
    },
)

SAFETY_GERMAN = SafetyTexts(
    queue="Vorfälle aller Kinder",
    back="Alle Vorfälle",
    status="Stand",
    severity="Schwere",
    any_severity="jede",
    assignee="Zugewiesen an",
    anyone="alle oder niemanden",
    me="mich",
    order="Reihenfolge",
    show="Anzeigen",
    states={"open": "offen", "resolved": "geklärt", "all": "alle"},
    orders={
        "severity": "die schwersten zuerst",
        "oldest": "die ältesten zuerst",
        "newest": "die neuesten zuerst",
    },
    empty="Keine solchen Vorfälle.",
    child="Kind {}",
    nobody="Niemand kümmert sich darum",
    with_you="Sie kümmern sich darum",
    with_other="{} kümmert sich darum",
    take="Übernehmen",
    take_over="Von dort übernehmen",
    release="Abgeben",
    resolved_by="von {}",
    note="Notiz",
    reopened="Wieder geöffnet ({})",
    family_saw="von der Familie gesehen",
    ages={
        "now": "gerade eben",
        "minutes": "{} Min.",
        "hours": "{} Std.",
        "day": "{} Tag",
        "days": "{} Tage",
    },
    about="Über das Kind",
    account="Konto",
    family="Familie",
    open_of_all="{} von {} offen",
    resolve="Klären",
    outcome="Ergebnis",
    choose="Bitte wählen",
    note_field="Notiz (darf leer sein)",
    kept="Bis zu {} Zeichen. Die Familie findet es in ihrem Export.",
    save="Speichern",
    reopen="Wieder öffnen",
    reason_field="Grund",
    evidence="Beweise zu diesem Vorfall",
    evidence_file="Beweise herunterladen",
    evidence_help="Eine Datei, die jeder prüfen kann: der Vorfall, wie er gespeichert ist, und wem "
    "die Daten des Kindes seither gezeigt wurden. Persönliches darin bleibt verschlüsselt.",
    looks=LOOKS_IN_GERMAN,
    refusals={
        "violation-already-resolved": "Nicht gespeichert: Der Vorfall ist schon geklärt.",
        "violation-already-assigned": "Nicht gespeichert: Inzwischen kümmert sich jemand anders "
        "darum, wie Sie hier sehen.",
        "violation-not-resolved": "Nicht gespeichert: Der Vorfall ist schon offen.",
        "violation-not-found": "Nicht gespeichert: Diesen Vorfall gibt es nicht.",
        "child-erased": "Nicht gespeichert: Die Daten dieses Kindes wurden gelöscht.",
        "child-not-found": "Nicht gespeichert: Dieses Kind gibt es nicht.",
        "concurrent-update": "Nicht gespeichert: Im selben Moment ist bei dem Kind etwas anderes "
        "geschehen. Bitte versuchen Sie es noch einmal.",
        "idempotency-key-reused": "Nicht noch einmal gespeichert: Dieses Formular wurde schon "
        "gesendet, mit anderem Inhalt. Hier steht, was dabei gespeichert wurde.",
        "invalid-request": "Nicht gespeichert: Etwas in dem Formular ist nicht erlaubt.",
        "forbidden": "Nicht gespeichert: Das dürfen Sie nicht.",
        "too-many-requests": "Nicht gespeichert: Das war zu oft. Bitte warten Sie einen Moment.",
        "outcome-missing": "Nicht gespeichert: Bitte wählen Sie ein Ergebnis.",
        "note-too-long": "Nicht gespeichert: Die Notiz ist zu lang.",
        "reason-missing": "Nicht gespeichert: Bitte sagen Sie, warum.",
        "reason-too-long": "Nicht gespeichert: Der Grund ist zu lang.",
        "form-incomplete": "Nicht gespeichert: Das Formular war unvollständig. Bitte nehmen Sie "
        "das auf dieser Seite.",
        "evidence-not-signed-yet": "Noch keine Datei: Das Protokoll wird etwa jede Minute "
        "signiert. Bitte versuchen Sie es in einer Minute noch einmal.",
        "evidence-too-long": "Keine Datei: Seit dem Vorfall wurde zu viel aufgezeichnet, um es "
        "hier zu lesen. Der Betrieb bekommt dieselbe Datei auf der Kommandozeile.",
        "overloaded": "Noch keine Datei: Gerade wird eine andere zusammengestellt. Bitte versuchen "
        "Sie es gleich noch einmal.",
    },
)
