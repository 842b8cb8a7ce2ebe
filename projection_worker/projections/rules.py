"""What a generation of read models is folded by beside the events, and what a fold is given."""

from dataclasses import dataclass
from datetime import timedelta

from projection_worker.projections.alerts import RaisedAlert
from shared.events.child import ChildEvent


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one generation, from its beginning to its end. `conversation_limit`: a conversation is
    over at the latest that long after its start."""

    conversation_limit: timedelta = timedelta(hours=4)


DEFAULT_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Happened:
    """An event for one document. `key`: the document's id; `raised`: the alerts that the event
    raises."""

    event: ChildEvent
    key: str
    raised: tuple[RaisedAlert, ...]
    rules: Rules
