"""The texts of what the console says of the protection of children's data, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProtectionTexts:
    """As ConsoleTexts. `steps`: of an erasure."""

    title: str
    question: str
    good: str
    unknown: str
    unknown_parts: str
    erasures: str
    erased: str
    open: str
    oldest: str
    outstanding: str
    keys: str
    key: str
    data_keys: str
    not_counted: str
    audit: str
    audit_help: str
    newest_head: str
    unsigned: str
    unrecorded: str
    findings: Mapping[str, str]
    key_states: Mapping[str, str]
    steps: Mapping[str, str]


PROTECTION_IN_ENGLISH = ProtectionTexts(
    title="Protection of data",
    question="Is the data protected?",
    good="Nothing is known to be wrong.",
    unknown="This could not be read at the moment.",
    unknown_parts="Whether all is well is not known, for want of:",
    erasures="Erasures",
    erased="Erased children",
    open="Not complete",
    oldest="The oldest of them since",
    outstanding="Still to be removed:",
    keys="Keys",
    key="Name",
    data_keys="Data keys",
    not_counted="not counted",
    audit="Audit trail",
    audit_help="By the signed heads of the last hour. Everything is checked by the command "
    "teddy audit verify.",
    newest_head="Last signed",
    unsigned="Records not signed yet",
    unrecorded="Unrecorded, last hour",
    findings={
        "keys-missing": "Keys are missing",
        "trail-altered": "The audit trail was altered",
        "trail-unsigned": "The audit trail is not signed",
        "erasures-open": "Erasures are not complete",
        "requests-unrecorded": "Requests could not be recorded",
    },
    key_states={
        "active": "active",
        "replaced": "replaced",
        "missing": "not in the key file",
    },
    steps={
        "data_key": "key",
        "bear_reservations": "reservation of the bear",
        "snapshots": "snapshot",
        "read_models": "read models",
        "dead_letters": "dead letters",
    },
)

PROTECTION_IN_GERMAN = ProtectionTexts(
    title="Schutz der Daten",
    question="Sind die Daten geschützt?",
    good="Es ist nichts bekannt, was nicht stimmt.",
    unknown="Das ließ sich gerade nicht lesen.",
    unknown_parts="Ob alles stimmt, ist nicht bekannt; es fehlt:",
    erasures="Löschungen",
    erased="Gelöschte Kinder",
    open="Nicht vollständig",
    oldest="Die älteste davon seit",
    outstanding="Noch zu entfernen:",
    keys="Schlüssel",
    key="Schlüssel-Name",
    data_keys="Datenschlüssel",
    not_counted="nicht gezählt",
    audit="Protokoll der Zugriffe",
    audit_help="Nach den signierten Köpfen der letzten Stunde. Alles prüft der Befehl "
    "teddy audit verify.",
    newest_head="Zuletzt signiert",
    unsigned="Noch nicht signierte Einträge",
    unrecorded="Ohne Eintrag, letzte Stunde",
    findings={
        "keys-missing": "Schlüssel fehlen",
        "trail-altered": "Das Protokoll wurde verändert",
        "trail-unsigned": "Das Protokoll wird nicht signiert",
        "erasures-open": "Löschungen sind nicht vollständig",
        "requests-unrecorded": "Anfragen ließen sich nicht protokollieren",
    },
    key_states={
        "active": "aktiv",
        "replaced": "abgelöst",
        "missing": "nicht in der Schlüsseldatei",
    },
    steps={
        "data_key": "Schlüssel",
        "bear_reservations": "Vergabe des Bären",
        "snapshots": "Zwischenstand",
        "read_models": "Lesemodelle",
        "dead_letters": "ausgesonderte Einträge",
    },
)
