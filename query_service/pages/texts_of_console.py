"""The texts of the operators' console, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsoleTexts:
    """`{}` stands for a value. `findings`: by the API's code; `parts`: of the flow."""

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
    parts: Mapping[str, str]
    findings: Mapping[str, str]
    states: Mapping[str, str]
    children: Mapping[str, str]


CONSOLE_ENGLISH = ConsoleTexts(
    console="Console",
    question="Is anything stale?",
    good="Nothing is stale",
    good_help="Read models are up to date, every child is projected, notifications arrive.",
    bad="{} things need you",
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
    parts={
        "command": "Command API",
        "store": "Event store",
        "relay": "Relay and Kafka",
        "worker": "Worker",
        "models": "Read models",
        "query": "Query API",
        "parents": "Parents notified",
    },
    findings={
        "no-worker": "No worker projects",
        "nothing-projected": "Nothing was projected yet",
        "read-models-late": "Read models are late",
        "children-dead-lettered": "Children are dead-lettered",
        "deliveries-failed": "Notifications failed",
        "deliveries-waiting": "Notifications wait",
    },
    states={"pending": "pending", "failed": "failed"},
    children={"active": "Active children", "deactivated": "Deactivated", "erased": "Erased"},
)


CONSOLE_GERMAN = ConsoleTexts(
    console="Konsole",
    question="Ist etwas veraltet?",
    good="Nichts ist veraltet",
    good_help="Die Lesemodelle sind aktuell, jedes Kind ist zu sehen, Hinweise kommen an.",
    bad="{} Dinge brauchen Sie",
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
    parts={
        "command": "Command-API",
        "store": "Ereignisspeicher",
        "relay": "Relay und Kafka",
        "worker": "Worker",
        "models": "Lesemodelle",
        "query": "Query-API",
        "parents": "Eltern benachrichtigt",
    },
    findings={
        "no-worker": "Kein Worker projiziert",
        "nothing-projected": "Noch nichts wurde projiziert",
        "read-models-late": "Lesemodelle sind zurück",
        "children-dead-lettered": "Kinder sind ausgesondert",
        "deliveries-failed": "Benachrichtigungen sind gescheitert",
        "deliveries-waiting": "Benachrichtigungen warten",
    },
    states={"pending": "warten", "failed": "gescheitert"},
    children={"active": "Aktive Kinder", "deactivated": "Deaktiviert", "erased": "Gelöscht"},
)
