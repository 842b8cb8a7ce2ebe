"""The texts of the operators' console, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass

from query_service.pages.texts_of_findings import FINDINGS_IN_ENGLISH, FINDINGS_IN_GERMAN
from query_service.pages.texts_of_operations import (
    BEGINS_IN_ENGLISH,
    BEGINS_IN_GERMAN,
    KINDS_IN_ENGLISH,
    KINDS_IN_GERMAN,
)
from query_service.pages.texts_of_protection import (
    PROTECTION_IN_ENGLISH,
    PROTECTION_IN_GERMAN,
    ProtectionTexts,
)


@dataclass(frozen=True, slots=True)
class ConsoleTexts:
    """`{}` stands for a value. `findings`: by the API's code; `parts`: of the flow; `begins`: what
    begins an operation, by its kind; `refusals`: why it was not begun, by the command API's code.
    """

    console: str
    question: str
    good: str
    good_help: str
    bad: str
    begin: str
    flow: str
    broken: str
    running: str
    lag: str
    hit_rate: str
    waiting: str
    models: str
    through: str
    dead_lettered: str
    generations: str
    number: str
    projections: str
    state: str
    begun: str
    live: str
    unfinished: str
    kept: str
    workers: str
    of_projections: str
    no_worker: str
    deliveries: str
    open_ones: str
    since: str
    none_open: str
    numbers: str
    cached: str
    feed: str
    yes: str
    no: str
    this_process: str
    analytics: str
    none_dead: str
    operations: str
    operations_help: str
    none_asked_for: str
    asked_for: str
    asked_by: str
    done_of: str
    redrive_one: str
    parts: Mapping[str, str]
    findings: Mapping[str, str]
    states: Mapping[str, str]
    children: Mapping[str, str]
    kinds: Mapping[str, str]
    begins: Mapping[str, str]
    operation_states: Mapping[str, str]
    refusals: Mapping[str, str]
    protection: ProtectionTexts


CONSOLE_ENGLISH = ConsoleTexts(
    console="Console",
    question="Is anything stale?",
    good="Nothing is stale",
    good_help="Read models are up to date, every child is projected, notifications arrive.",
    bad="Needs you: {}",
    begin="Begin with",
    flow="How an event comes through",
    broken="needs you",
    running="{} running",
    lag="{} s behind",
    hit_rate="{} % from the cache",
    waiting="{} notifications open",
    models="Read models",
    through="Everything is shown until",
    dead_lettered="Dead-lettered children",
    generations="Generations",
    number="Number",
    projections="Projections",
    state="State",
    begun="Rebuild began",
    live="live",
    unfinished="being rebuilt",
    kept="kept, for a rollback",
    workers="Workers",
    of_projections="projections {}",
    no_worker="No worker runs.",
    deliveries="Notifications",
    open_ones="{} by {} {}",
    since="since",
    none_open="All were delivered.",
    numbers="Numbers",
    cached="Cached answers",
    feed="Change notices arrive",
    yes="yes",
    no="no",
    this_process="Cache and notices are those of the process that answered.",
    analytics="All numbers and SQL",
    none_dead="None: every child is projected.",
    operations="Operations",
    operations_help="A worker carries out what you ask for, one of a kind at a time; queries are "
    "answered meanwhile. It is listed once a worker has seen it.",
    none_asked_for="Nothing was asked for yet.",
    asked_for="Asked for: a worker takes it up.",
    asked_by="{} asked for it",
    done_of="{} of {}",
    redrive_one="Project this child again",
    parts={
        "command": "Command API",
        "store": "Event store",
        "relay": "Relay and Kafka",
        "worker": "Worker",
        "models": "Read models",
        "query": "Query API",
        "parents": "Parents notified",
    },
    findings=FINDINGS_IN_ENGLISH,
    states={"pending": "pending", "failed": "failed"},
    children={"active": "Active children", "deactivated": "Deactivated", "erased": "Erased"},
    kinds=KINDS_IN_ENGLISH,
    begins=BEGINS_IN_ENGLISH,
    operation_states={
        "requested": "no worker has begun it yet",
        "running": "running",
        "done": "done",
        "failed": "failed",
    },
    refusals={
        "operation-running": "Not begun: one of this kind has not ended yet.",
        "forbidden": "Not begun: you may not do this.",
        "too-many-requests": "Not begun: that was too often. Please wait a moment.",
        "form-incomplete": "Not begun: the form was incomplete. Please use the one on this page.",
    },
    protection=PROTECTION_IN_ENGLISH,
)


CONSOLE_GERMAN = ConsoleTexts(
    console="Konsole",
    question="Ist etwas veraltet?",
    good="Nichts ist veraltet",
    good_help="Die Lesemodelle sind aktuell, jedes Kind ist zu sehen, Hinweise kommen an.",
    bad="Zu tun: {}",
    begin="Beginnen Sie mit",
    flow="Der Weg eines Ereignisses",
    broken="braucht Sie",
    running="{} laufen",
    lag="{} s zurück",
    hit_rate="{} % aus dem Cache",
    waiting="{} Benachrichtigungen offen",
    models="Lesemodelle",
    through="Alles ist zu sehen bis",
    dead_lettered="Ausgesonderte Kinder",
    generations="Generationen",
    number="Nummer",
    projections="Projektionen",
    state="Zustand",
    begun="Neuaufbau begann",
    live="gelesen",
    unfinished="im Neuaufbau",
    kept="aufbewahrt, für ein Zurück",
    workers="Worker",
    of_projections="Projektionen {}",
    no_worker="Kein Worker läuft.",
    deliveries="Benachrichtigungen",
    open_ones="{} über {} {}",
    since="seit",
    none_open="Alle wurden zugestellt.",
    numbers="Zahlen",
    cached="Antworten im Cache",
    feed="Änderungen werden gemeldet",
    yes="ja",
    no="nein",
    this_process="Cache und Meldungen sind die des Prozesses, der geantwortet hat.",
    analytics="Alle Zahlen und SQL",
    none_dead="Keine: jedes Kind wird projiziert.",
    operations="Arbeiten",
    operations_help="Ein Worker tut, worum Sie bitten, von jeder Art eines zur Zeit; Anfragen "
    "werden währenddessen beantwortet. Hier steht die Arbeit, sobald ein Worker sie gesehen hat.",
    none_asked_for="Noch wurde um nichts gebeten.",
    asked_for="Beauftragt: Ein Worker nimmt es auf.",
    asked_by="{} bat darum",
    done_of="{} von {}",
    redrive_one="Dieses Kind erneut projizieren",
    parts={
        "command": "Command-API",
        "store": "Ereignisspeicher",
        "relay": "Relay und Kafka",
        "worker": "Worker",
        "models": "Lesemodelle",
        "query": "Query-API",
        "parents": "Eltern benachrichtigt",
    },
    findings=FINDINGS_IN_GERMAN,
    states={"pending": "warten", "failed": "gescheitert"},
    children={"active": "Aktive Kinder", "deactivated": "Deaktiviert", "erased": "Gelöscht"},
    kinds=KINDS_IN_GERMAN,
    begins=BEGINS_IN_GERMAN,
    operation_states={
        "requested": "noch hat kein Worker begonnen",
        "running": "läuft",
        "done": "erledigt",
        "failed": "gescheitert",
    },
    refusals={
        "operation-running": "Nicht begonnen: Eines dieser Art ist noch nicht zu Ende.",
        "forbidden": "Nicht begonnen: Das dürfen Sie nicht.",
        "too-many-requests": "Nicht begonnen: Das war zu oft. Bitte warten Sie einen Moment.",
        "form-incomplete": "Nicht begonnen: Das Formular war unvollständig. Bitte nehmen Sie das "
        "auf dieser Seite.",
    },
    protection=PROTECTION_IN_GERMAN,
)
