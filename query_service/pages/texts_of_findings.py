"""What is wrong, on the operators' console, by the API's code and in each language."""

from collections.abc import Mapping

FINDINGS_IN_ENGLISH: Mapping[str, str] = {
    "no-command-api": "No command API was heard of",
    "no-relay": "No relay was heard of",
    "relay-late": "The relay is late",
    "no-worker": "No worker projects",
    "nothing-projected": "Nothing was projected yet",
    "read-models-late": "Read models are late",
    "children-dead-lettered": "Children are dead-lettered",
    "deliveries-failed": "Notifications failed",
    "deliveries-waiting": "Notifications wait",
}

FINDINGS_IN_GERMAN: Mapping[str, str] = {
    "no-command-api": "Von keiner Command-API war etwas zu hören",
    "no-relay": "Von keinem Relay war etwas zu hören",
    "relay-late": "Das Relay ist zurück",
    "no-worker": "Kein Worker projiziert",
    "nothing-projected": "Noch nichts wurde projiziert",
    "read-models-late": "Lesemodelle sind zurück",
    "children-dead-lettered": "Kinder sind ausgesondert",
    "deliveries-failed": "Benachrichtigungen sind gescheitert",
    "deliveries-waiting": "Benachrichtigungen warten",
}
