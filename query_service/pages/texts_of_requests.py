"""The texts of the console's part about the requests of a process, in each language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestsTexts:
    """`{}` stands for a value."""

    title: str
    help: str
    per_second: str
    p50: str
    p99: str
    milliseconds: str
    refused: str
    refused_of: str
    slowest: str
    operation: str
    duration: str
    status: str
    own: str
    none_answered: str
    refusals: str
    by_code: str
    none_lately: str
    code: str
    role: str
    not_known: str
    none_refused: str
    more: str


REQUESTS_IN_ENGLISH = RequestsTexts(
    title="Requests of this process",
    help="The last five minutes of the query process that answered. What this page asks it for "
    "every five seconds is counted, too.",
    per_second="Requests a second",
    p50="Half within (p50)",
    p99="99 % within (p99)",
    milliseconds="{} ms",
    refused="Refused",
    refused_of="{} of {}",
    slowest="The slowest request of each operation",
    operation="Operation",
    duration="Took",
    status="Status",
    own="this page",
    none_answered="Nothing was asked for in the last five minutes.",
    refusals="Recent refusals",
    by_code="Of the last five minutes, by code",
    none_lately="None in the last five minutes.",
    code="Code",
    role="Caller",
    not_known="not known",
    none_refused="Nothing was refused since this process started.",
    more="The last {} of them; GET /v1/system/requests has 50.",
)

REQUESTS_IN_GERMAN = RequestsTexts(
    title="Anfragen an diesen Prozess",
    help="Die letzten fünf Minuten des Query-Prozesses, der geantwortet hat. Was diese Seite ihn "
    "alle fünf Sekunden fragt, zählt mit.",
    per_second="Anfragen je Sekunde",
    p50="Die Hälfte in (p50)",
    p99="99 % in (p99)",
    milliseconds="{} ms",
    refused="Abgelehnt",
    refused_of="{} von {}",
    slowest="Die langsamste Anfrage jeder Operation",
    operation="Operation",
    duration="Dauer",
    status="Status",
    own="diese Seite",
    none_answered="In den letzten fünf Minuten wurde nichts angefragt.",
    refusals="Letzte Ablehnungen",
    by_code="Der letzten fünf Minuten, nach Code",
    none_lately="Keine in den letzten fünf Minuten.",
    code="Code",
    role="Wer",
    not_known="unbekannt",
    none_refused="Seit dem Start dieses Prozesses wurde nichts abgelehnt.",
    more="Die letzten {}; GET /v1/system/requests hat 50.",
)
