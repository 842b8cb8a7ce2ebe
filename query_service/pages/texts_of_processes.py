"""The texts about processes on the operators' console, in each language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessTexts:
    """`{}` stands for a value."""

    title: str
    help: str
    process: str
    runs_since: str
    starts: str
    rate: str
    half: str
    nearly_all: str
    lag: str
    last_minutes: str
    silent: str
    ended: str
    leads: str
    stands_by: str
    answers: str
    unknown: str
    none_reports: str
    unread: str
    partitions: str
    partitions_help: str
    partition: str
    worker: str
    no_reader: str
    no_partitions: str
    rate_curve: str
    lag_curve: str
    flow_rate: str
    flow_within: str
    flow_lag: str
    milliseconds: str


PROCESSES_IN_ENGLISH = ProcessTexts(
    title="Processes",
    help="Each reports every 5 seconds, about the minute before; of query processes you see the "
    "one that answered. How long half, and 99 of 100, of the commands or batches took is rounded "
    "up to the next bound that is counted by.",
    process="Process",
    runs_since="Runs since",
    starts="Starts",
    rate="Per second",
    half="Half within",
    nearly_all="99 % within",
    lag="Waiting",
    last_minutes="Last 10 minutes",
    silent="Silent since {}",
    ended="ended {}",
    leads="leads",
    stands_by="stands by",
    answers="answered this page",
    unknown="What processes do cannot be read at the moment.",
    none_reports="No process reports on itself. Those of an older release do not.",
    unread="Cannot be read at the moment: {}. Processes that report there are missing.",
    partitions="Lag by partition",
    partitions_help="Records of the topic of events that are not projected yet. All curves have "
    "the same scale.",
    partition="Partition",
    worker="Worker",
    no_reader="nobody reads it",
    no_partitions="No worker tells of partitions.",
    rate_curve="Per second, in the last 10 minutes: at most {}",
    lag_curve="Records that waited on partition {} in the last 10 minutes: at most {}",
    flow_rate="{} per second",
    flow_within="{}, 99 % within {}",
    flow_lag="{} waiting, {} s behind",
    milliseconds="{} ms",
)

PROCESSES_IN_GERMAN = ProcessTexts(
    title="Prozesse",
    help="Jeder berichtet alle 5 Sekunden, über die Minute davor; von den Query-Prozessen sehen "
    "Sie den, der geantwortet hat. Wie lange die Hälfte und 99 von 100 der Befehle oder Stapel "
    "dauerten, ist auf die nächste Grenze aufgerundet, nach der gezählt wird.",
    process="Prozess",
    runs_since="Läuft seit",
    starts="Starts",
    rate="Pro Sekunde",
    half="Hälfte binnen",
    nearly_all="99 % binnen",
    lag="Es warten",
    last_minutes="Letzte 10 Minuten",
    silent="Stumm seit {}",
    ended="beendet {}",
    leads="führt",
    stands_by="steht bereit",
    answers="hat diese Seite beantwortet",
    unknown="Was die Prozesse tun, ist im Moment nicht zu lesen.",
    none_reports="Kein Prozess berichtet von sich. Die einer älteren Version tun das nicht.",
    unread="Im Moment nicht zu lesen: {}. Prozesse, die dort berichten, fehlen.",
    partitions="Rückstand nach Partition",
    partitions_help="Einträge der Ereignisse, die noch nicht projiziert sind. Alle Kurven haben "
    "denselben Maßstab.",
    partition="Partition",
    worker="Worker",
    no_reader="niemand liest sie",
    no_partitions="Kein Worker erzählt von Partitionen.",
    rate_curve="Pro Sekunde, in den letzten 10 Minuten: höchstens {}",
    lag_curve="Einträge, die auf Partition {} in den letzten 10 Minuten warteten: höchstens {}",
    flow_rate="{} pro Sekunde",
    flow_within="{}, 99 % binnen {}",
    flow_lag="{} warten, {} s zurück",
    milliseconds="{} ms",
)
