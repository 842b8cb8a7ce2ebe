"""What is sealed: personal values wherever they are kept, labels in the events that hold them."""

from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Generic,
    NotRequired,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

IS_LABEL = "encrypted in events"
Label = Annotated[T, IS_LABEL]
"""A value that people or devices choose, or that describes a child without naming it: a topic, a
kind of violation, an age. Events hold it sealed as they hold a `Personal` value, for they stay for
ever. In memory it is its plain value, and read models count and search it in clear: an erasure
deletes them. An event that cannot be opened has UNREADABLE for a text that it must have, 0 for a
number and nothing for what is optional or a list."""

IS_STAFF = "names one of the staff"
StaffId = Annotated[str, IS_LABEL, IS_STAFF]
"""The subject of one of the staff, in an event: sealed as a label. Families are not shown who it
is, nor are their exports."""

UNREADABLE = "unreadable"

LABELS_IN_CLEAR = frozenset(
    {
        "ChildRegistered",
        "ChildProfileUpdated",
        "SafetyViolationReported",
        "SafetyViolationResolved",
        "ConversationStarted",
        "MessageRecorded",
        "ParentalConsentGiven",
    }
)
"""Types whose labels stand in clear up to schema version LAST_IN_CLEAR; later ones seal them."""
LAST_IN_CLEAR = 1

IS_SEALED = "sealed in read models"
Sealed = Annotated[str | None, IS_SEALED]
"""A field of a read model with the ciphertext of a `Personal` value (its `sealed`); None: there is
none. Answers and exports open it; operators' tools mask it unless they are asked to open it."""

IS_FROM_OPENED = "made from opened values"
FromOpened = Annotated[T, IS_FROM_OPENED]
"""A field of a read model, in clear, that is made from what events hold sealed: labels, or the
words of a name. Where a value did not open, it cannot be compared with what the events say."""

StaffName = Annotated[str | None, IS_FROM_OPENED, IS_STAFF]
"""A field of a read model with the subject of one of the staff; None: nobody is known."""

IS_SEARCH_TOKENS = "keyed hashes of a sealed value"
SearchTokens = Annotated[list[str], IS_FROM_OPENED, IS_SEARCH_TOKENS]
"""A field of a read model by which a search finds a sealed value; nobody is shown it."""


class PersonalDataErased(Exception):
    """The value's key was destroyed: the ciphertext can never be read again."""


@dataclass(frozen=True, slots=True, repr=False)
class Personal(Generic[T_co]):
    """A value that identifies or describes a child.

    `value` is None once the child's key is gone. `sealed` is `version.field.ciphertext`, with the
    ciphertext exactly as the event store holds it and the place it is bound to: read models keep it
    without sealing again (`codec.open_sealed` opens it). It is empty on an event not yet recorded.
    `search_tokens` are keyed hashes of word prefixes, present only on searchable fields that were
    decoded with a search index. Neither takes part in equality, and none of it is ever printed.
    """

    value: T_co | None
    sealed: str = field(default="", compare=False)
    search_tokens: tuple[str, ...] = field(default=(), compare=False)

    def reveal(self) -> T_co:
        """The plaintext; raises PersonalDataErased once the key is gone."""
        if self.value is None:
            raise PersonalDataErased
        return self.value

    def __repr__(self) -> str:
        return "Personal(***)"


def fields_marked(document: type, mark: str) -> tuple[str, ...]:
    """The fields of a read model's document (a TypedDict) that are IS_SEALED or IS_FROM_OPENED, in
    their order."""
    hints = get_type_hints(document, include_extras=True)
    return tuple(name for name, hint in hints.items() if mark in _marks(hint))


def _marks(hint: Any) -> tuple[Any, ...]:
    required = get_args(hint)[0] if get_origin(hint) is NotRequired else hint
    return getattr(required, "__metadata__", ())
