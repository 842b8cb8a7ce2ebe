"""The texts of an erasure and its receipt, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErasureTexts:
    """As Texts. `staying`: what an erasure leaves, before it is done; `remaining`: the same as its
    receipt lists it, which is shown as the API says it where it has no text here."""

    title: str
    of: str
    warning: str
    removed: str
    was_removed: str
    remains: str
    export_first: str
    confirmation: str
    erase: str
    cancel: str
    receipt: str
    receipt_help: str
    complete: str
    incomplete: str
    look_again: str
    outstanding: str
    file: str
    file_help: str
    what: str
    how_many: str
    steps: Mapping[str, str]
    remaining: Mapping[str, str]
    staying: tuple[str, ...]


ERASURES_IN_ENGLISH = ErasureTexts(
    title="Erase all data",
    of="All data of {}",
    warning="Nobody can undo this.",
    removed="What is removed",
    was_removed="What was removed",
    remains="What remains",
    export_first="Download everything first",
    confirmation="To confirm, type: {}",
    erase="Erase for good",
    cancel="Back to the child",
    receipt="Erased",
    receipt_help="This child was erased {}. No key can open its data again.",
    complete="Everything was removed.",
    incomplete="Not yet complete. This page looks again by itself.",
    look_again="Look again",
    outstanding="Still to be removed",
    file="Download the receipt",
    file_help="Keep it: it is signed, and proves the erasure.",
    what="What",
    how_many="Number",
    steps={
        "data_key": "The key that opens all personal data of the child",
        "bear_reservations": "The reservation of the bear's numbers",
        "snapshots": "The encrypted snapshot of the account",
        "read_models": "Profile, conversations, incidents, activity, alerts and search entries",
        "dead_letters": "Records that could not be processed",
    },
    remaining={},
    staying=(
        "Records of what happened when, with ids, kinds and numbers, and your own "
        "id; everything personal in them stays encrypted, and no key opens it.",
        "Who acted and who looked, by id, until the audit trail's retention ends.",
        "A note that the child was here and was erased, so that you can have the receipt.",
        "Backups and copies, until they expire; what you downloaded, and alerts that were sent.",
    ),
)

ERASURES_IN_GERMAN = ErasureTexts(
    title="Alle Daten löschen",
    of="Alle Daten von {}",
    warning="Das kann niemand rückgängig machen.",
    removed="Was gelöscht wird",
    was_removed="Was gelöscht wurde",
    remains="Was bleibt",
    export_first="Vorher alles herunterladen",
    confirmation="Zur Bestätigung geben Sie ein: {}",
    erase="Endgültig löschen",
    cancel="Zurück zum Kind",
    receipt="Gelöscht",
    receipt_help="Dieses Kind wurde gelöscht: {}. Kein Schlüssel kann seine Daten mehr öffnen.",
    complete="Alles ist gelöscht.",
    incomplete="Noch nicht abgeschlossen. Diese Seite sieht von selbst wieder nach.",
    look_again="Noch einmal nachsehen",
    outstanding="Noch zu löschen",
    file="Quittung herunterladen",
    file_help="Bewahren Sie sie auf: Sie ist unterschrieben und beweist die Löschung.",
    what="Was",
    how_many="Anzahl",
    steps={
        "data_key": "Der Schlüssel, der alle persönlichen Daten des Kindes öffnet",
        "bear_reservations": "Die Reservierung der Nummern des Bären",
        "snapshots": "Das verschlüsselte Abbild des Kontos",
        "read_models": "Profil, Gespräche, Vorfälle, Aktivität, Hinweise und Sucheinträge",
        "dead_letters": "Einträge, die nicht verarbeitet werden konnten",
    },
    remaining={
        "events": "Ereignisse: Arten, Zeiten, Kennungen, Prüfsummen, Ihre Kennung und Zahlen. "
        "Persönliches darin ist verschlüsselt, und kein Schlüssel öffnet es mehr.",
        "who acted": "Wer handelte: Kennung und Rolle. Ein Bär steht unter einem zufälligen "
        "Namen, der nicht zu ihm führt.",
        "keys of requests": "Kennungen von Anfragen, nur als Prüfsummen.",
        "tombstone": "Ein Vermerk mit den Kennungen von Kind und Eltern und zwei Tagen, für diese "
        "Quittung.",
        "audit trail": "Das Protokoll, wer wann was abrief, bis seine Frist endet.",
        "copies that end by themselves": "Kopien in Datenbanken und Warteschlangen, bis sie "
        "überschrieben werden.",
        "copies that somebody took": "Sicherungen und Exporte, bis sie gelöscht werden; "
        "verschickte Hinweise sind "
        "bei ihren Empfängern.",
    },
    staying=(
        "Einträge, was wann geschah, mit Kennungen, Arten und Zahlen sowie Ihrer "
        "eigenen Kennung; alles Persönliche darin bleibt verschlüsselt, und kein "
        "Schlüssel öffnet es.",
        "Wer etwas änderte oder ansah, mit Kennung, bis die Frist des Protokolls endet.",
        "Ein Vermerk, dass es das Kind gab und dass es gelöscht wurde, damit Sie die "
        "Quittung bekommen.",
        "Sicherungen und Kopien, bis sie ablaufen; was Sie heruntergeladen haben, "
        "und verschickte Hinweise.",
    ),
)
