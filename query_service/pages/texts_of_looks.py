"""The texts of the page that says who looked at a child, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LooksTexts:
    """As Texts. `refused`: any outcome that is not in `outcomes` is the code of a refusal."""

    title: str
    back: str
    help: str
    altered: str
    who: str
    what: str
    outcome: str
    address: str
    empty: str
    refused: str
    roles: Mapping[str, str]
    outcomes: Mapping[str, str]
    operations: Mapping[str, str]


LOOKS_IN_ENGLISH = LooksTexts(
    title="Who looked at this child",
    back="The child",
    help="All that was asked for and done, the newest first, this page too. A bear has another "
    "name each time that the system starts; from where the family asks is not shown.",
    altered="The audit trail was altered. What this page shows may be wrong or incomplete; please "
    "tell an operator.",
    who="Who",
    what="What",
    outcome="Outcome",
    address="From where",
    empty="Nobody yet.",
    refused="refused ({})",
    roles={
        "parent": "parent",
        "device": "bear",
        "safety_officer": "safety officer",
        "analyst": "analyst",
        "admin": "administrator",
        "operator": "operator, by command line",
        "": "not signed in",
    },
    outcomes={
        "accepted": "done",
        "unchanged": "nothing changed",
        "replayed": "done before",
        "answered": "shown",
        "not-modified": "shown, unchanged",
        "begun": "begun",
        "failed": "failed",
        "kept": "newest one kept",
    },
    operations={
        "RegisterChild": "registered",
        "UpdateChildProfile": "profile changed",
        "ConfigureAlerts": "alerts configured",
        "DeactivateChild": "account deactivated",
        "ReactivateChild": "account reactivated",
        "GiveConsent": "consent given",
        "WithdrawConsent": "consent withdrawn",
        "EraseChild": "erased",
        "ReportSafetyViolation": "incident reported",
        "ResolveSafetyViolation": "incident resolved",
        "ReopenSafetyViolation": "incident reopened",
        "AssignSafetyViolation": "incident assigned",
        "AcknowledgeSafetyViolation": "alert acknowledged",
        "StartConversation": "conversation started",
        "RecordMessage": "message recorded",
        "EndConversation": "conversation ended",
        "SendCommands": "several commands",
        "GetChildProfile": "profile",
        "GetChildSafetyReport": "safety report",
        "GetAlertPolicy": "alert settings",
        "GetChildConversations": "conversations",
        "GetChildConsents": "consents, as they changed",
        "GetChildAnalytics": "analytics",
        "GetChildSeries": "numbers by day",
        "SearchChildren": "search",
        "GetChildrenByParent": "family",
        "GetAlerts": "alerts",
        "GetSafetyViolations": "list of incidents",
        "GetChildAuditRecords": "who looked at the child",
        "ExportEvidence": "evidence of an incident",
        "GetErasureReceipt": "erasure receipt",
        "ExportChild": "everything, as a file",
        "FollowFamily": "live updates of the family",
        "ReplayShowReveal": "history, in clear",
        "AnchorKept": "older records deleted",
    },
)

LOOKS_IN_GERMAN = LooksTexts(
    title="Wer dieses Kind angesehen hat",
    back="Das Kind",
    help="Alles, was abgefragt und getan wurde, das Neueste zuerst, auch diese Seite. Ein Bär "
    "heißt nach jedem Start des Systems anders; von wo die Familie fragt, wird nicht gezeigt.",
    altered="Das Protokoll wurde verändert. Was diese Seite zeigt, kann falsch oder unvollständig "
    "sein; bitte sagen Sie es dem Betrieb.",
    who="Wer",
    what="Was",
    outcome="Ergebnis",
    address="Von wo",
    empty="Noch niemand.",
    refused="abgelehnt ({})",
    roles={
        "parent": "Eltern",
        "device": "Bär",
        "safety_officer": "Kinderschutz",
        "analyst": "Analyse",
        "admin": "Administration",
        "operator": "Betrieb, per Kommandozeile",
        "": "nicht angemeldet",
    },
    outcomes={
        "accepted": "getan",
        "unchanged": "nichts geändert",
        "replayed": "schon früher getan",
        "answered": "gezeigt",
        "not-modified": "gezeigt, unverändert",
        "begun": "begonnen",
        "failed": "fehlgeschlagen",
        "kept": "neuester behalten",
    },
    operations={
        "RegisterChild": "angemeldet",
        "UpdateChildProfile": "Profil geändert",
        "ConfigureAlerts": "Warnungen eingestellt",
        "DeactivateChild": "Konto stillgelegt",
        "ReactivateChild": "Konto wieder aktiv",
        "GiveConsent": "Einwilligung erteilt",
        "WithdrawConsent": "Einwilligung widerrufen",
        "EraseChild": "gelöscht",
        "ReportSafetyViolation": "Vorfall gemeldet",
        "ResolveSafetyViolation": "Vorfall geklärt",
        "ReopenSafetyViolation": "Vorfall wieder geöffnet",
        "AssignSafetyViolation": "Vorfall zugewiesen",
        "AcknowledgeSafetyViolation": "Warnung bestätigt",
        "StartConversation": "Gespräch begonnen",
        "RecordMessage": "Nachricht aufgezeichnet",
        "EndConversation": "Gespräch beendet",
        "SendCommands": "mehrere Befehle",
        "GetChildProfile": "Profil",
        "GetChildSafetyReport": "Sicherheitsbericht",
        "GetAlertPolicy": "Einstellung der Warnungen",
        "GetChildConversations": "Gespräche",
        "GetChildConsents": "Verlauf der Einwilligungen",
        "GetChildAnalytics": "Auswertung",
        "GetChildSeries": "Zahlen nach Tagen",
        "SearchChildren": "Suche",
        "GetChildrenByParent": "Familie",
        "GetAlerts": "Warnungen",
        "GetSafetyViolations": "Liste der Vorfälle",
        "GetChildAuditRecords": "wer das Kind angesehen hat",
        "ExportEvidence": "Beweise zu einem Vorfall",
        "GetErasureReceipt": "Quittung der Löschung",
        "ExportChild": "alles, als Datei",
        "FollowFamily": "laufende Neuigkeiten der Familie",
        "ReplayShowReveal": "Verlauf, im Klartext",
        "AnchorKept": "ältere Einträge gelöscht",
    },
)
