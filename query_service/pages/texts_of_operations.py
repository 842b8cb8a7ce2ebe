"""What operations and their buttons are called, by the kind that the command API knows."""

from collections.abc import Mapping

KINDS_IN_ENGLISH: Mapping[str, str] = {
    "rebuild": "Rebuild of the read models",
    "redrive-children": "Redrive of dead-lettered children",
    "redrive-notifications": "Redrive of failed notifications",
    "clear-caches": "Clearing of all caches",
}

BEGINS_IN_ENGLISH: Mapping[str, str] = {
    "rebuild": "Rebuild the read models",
    "redrive-children": "Project dead-lettered children again",
    "redrive-notifications": "Try failed notifications again",
    "clear-caches": "Clear all caches",
}

KINDS_IN_GERMAN: Mapping[str, str] = {
    "rebuild": "Neuaufbau der Lesemodelle",
    "redrive-children": "Neuer Versuch mit ausgesonderten Kindern",
    "redrive-notifications": "Neuer Versuch mit gescheiterten Benachrichtigungen",
    "clear-caches": "Leeren aller Caches",
}

BEGINS_IN_GERMAN: Mapping[str, str] = {
    "rebuild": "Lesemodelle neu aufbauen",
    "redrive-children": "Ausgesonderte Kinder erneut projizieren",
    "redrive-notifications": "Gescheiterte Benachrichtigungen erneut versuchen",
    "clear-caches": "Alle Caches leeren",
}
