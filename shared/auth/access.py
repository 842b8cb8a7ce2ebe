"""Who acts, and what they may do: subjects, roles, and the one table that both APIs ask.

docs/access.md is made from that table. An operation is a command, a query or a route for operators,
under its class's name. One that has no row here cannot be registered, and a route whose name is no
operation's fails a test.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAX_SUBJECT_CHARACTERS = 128
SUBJECT = rf"[!-.0-\[\]-~]{{1,{MAX_SUBJECT_CHARACTERS}}}"
SUBJECT_LIMIT = f"1..{MAX_SUBJECT_CHARACTERS} visible ASCII characters except / and \\"

_SUBJECT = re.compile(SUBJECT)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STEPS = frozenset({".", ".."})


def is_subject(text: str) -> bool:
    """Whether a token may name `text`, and a child may have it as its parent or bear: visible
    ASCII, as OpenID Connect has it of a `sub`, without the two slashes. So every subject is one
    segment of a path, looks like no other, and nothing has to be folded before two are compared."""
    return _SUBJECT.fullmatch(text) is not None and text not in _STEPS


def is_uuid(text: str) -> bool:
    """Whether `text` is written as every id that this system gives out."""
    return _UUID.fullmatch(text) is not None


class Role(StrEnum):
    PARENT = "parent"
    DEVICE = "device"
    SAFETY_OFFICER = "safety_officer"
    ANALYST = "analyst"
    ADMIN = "admin"

    __hash__ = str.__hash__  # without a call in Python: it is part of every cache key


UNNAMED_BEAR = "bear"


class Principal(NamedTuple):
    """The subject and role of a verified token. For a parent the subject is the parent id, for a
    device the bear's device id. Whose child it is comes from the data, never from the token.
    `alias`: a bear's other name, see Pseudonyms."""

    subject: str
    role: Role
    alias: str = UNNAMED_BEAR

    @property
    def on_record(self) -> str:
        """The subject as whatever is kept may name it: a bear's id is its child's own."""
        return self.alias if self.role is Role.DEVICE else self.subject


class Relation(StrEnum):
    """What a caller must be to the child or family that an operation is about."""

    OWN_FAMILY = "own family"
    OWN_BEAR = "own child"
    ALL = "all"
    NUMBERS = "numbers only"
    NONE = "no"

    __hash__ = str.__hash__


class RateClass(StrEnum):
    """Operations that share one limit of requests a subject."""

    REGISTRATION = "registration"
    COMMANDS = "commands"
    QUERIES = "queries"
    SEARCH = "search"
    STREAM = "stream"
    EXPORT = "export"
    EVIDENCE = "evidence"
    SQL = "sql"

    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. A role that is not named may not do the operation at all."""

    rate: RateClass
    parent: Relation = Relation.NONE
    device: Relation = Relation.NONE
    safety_officer: Relation = Relation.NONE
    analyst: Relation = Relation.NONE
    admin: Relation = Relation.ALL

    def of(self, role: Role) -> Relation:
        relation: Relation = getattr(self, role)
        return relation


class UnlistedOperation(LookupError):
    """An operation without a row: nobody may do it until someone says who may."""


ALL, NUMBERS = Relation.ALL, Relation.NUMBERS
OWN_FAMILY, OWN_BEAR = Relation.OWN_FAMILY, Relation.OWN_BEAR
REGISTRATION, COMMANDS = RateClass.REGISTRATION, RateClass.COMMANDS
QUERIES, SEARCH, STREAM = RateClass.QUERIES, RateClass.SEARCH, RateClass.STREAM
EXPORT, EVIDENCE, SQL = RateClass.EXPORT, RateClass.EVIDENCE, RateClass.SQL

ACCESS: Mapping[str, Rule] = {
    # commands
    "RegisterChild": Rule(REGISTRATION, parent=OWN_FAMILY),
    "UpdateChildProfile": Rule(COMMANDS, parent=OWN_FAMILY),
    "ConfigureAlerts": Rule(COMMANDS, parent=OWN_FAMILY),
    "DeactivateChild": Rule(COMMANDS, parent=OWN_FAMILY),
    "ReactivateChild": Rule(COMMANDS, parent=OWN_FAMILY),
    "GiveConsent": Rule(COMMANDS, parent=OWN_FAMILY),
    "WithdrawConsent": Rule(COMMANDS, parent=OWN_FAMILY),
    "EraseChild": Rule(COMMANDS, parent=OWN_FAMILY),
    "ReportSafetyViolation": Rule(COMMANDS, parent=OWN_FAMILY, device=OWN_BEAR, safety_officer=ALL),
    "ResolveSafetyViolation": Rule(COMMANDS, safety_officer=ALL),
    "ReopenSafetyViolation": Rule(COMMANDS, safety_officer=ALL),
    "AssignSafetyViolation": Rule(COMMANDS, safety_officer=ALL),
    # that the parent has seen it can be said by nobody else
    "AcknowledgeSafetyViolation": Rule(COMMANDS, parent=OWN_FAMILY, admin=Relation.NONE),
    "StartConversation": Rule(COMMANDS, device=OWN_BEAR),
    "RecordMessage": Rule(COMMANDS, device=OWN_BEAR),
    "EndConversation": Rule(COMMANDS, device=OWN_BEAR),
    "StartOperation": Rule(COMMANDS),
    # each of them as its own row says
    "SendCommands": Rule(COMMANDS, parent=OWN_FAMILY, device=OWN_BEAR, safety_officer=ALL),
    # queries
    "GetChildProfile": Rule(QUERIES, parent=OWN_FAMILY, device=OWN_BEAR, safety_officer=ALL),
    "GetChildSafetyReport": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetAlertPolicy": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildConversations": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildConsents": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildAnalytics": Rule(QUERIES, parent=OWN_FAMILY, device=OWN_BEAR, safety_officer=ALL),
    "GetChildSeries": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "SearchChildren": Rule(SEARCH, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildrenByParent": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetAlerts": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetSafetyViolations": Rule(QUERIES, safety_officer=ALL),
    "GetChildAuditRecords": Rule(QUERIES, safety_officer=ALL),
    "ExportEvidence": Rule(EVIDENCE, safety_officer=ALL),
    "GetErasureReceipt": Rule(QUERIES, parent=OWN_FAMILY),
    "ExportChild": Rule(EXPORT, parent=OWN_FAMILY),
    "FollowFamily": Rule(STREAM, parent=OWN_FAMILY, safety_officer=ALL),
    "GetSystemAnalytics": Rule(QUERIES, safety_officer=NUMBERS, analyst=NUMBERS, admin=NUMBERS),
    "GetSystemSeries": Rule(QUERIES, analyst=NUMBERS, admin=NUMBERS),  # of SQL's snapshot
    # officers look after children, whom it names nowhere; what it can ask is no part of their work
    "RunSql": Rule(SQL, analyst=NUMBERS, admin=NUMBERS),
    "GetSystemStatus": Rule(QUERIES),
    "GetSystemProcesses": Rule(QUERIES),
    "GetOperations": Rule(QUERIES),
    "GetSystemProtection": Rule(QUERIES),
    "GetSqlTables": Rule(QUERIES, analyst=NUMBERS, admin=NUMBERS),
    # the processes themselves
    "GetCommandBus": Rule(QUERIES),
    "GetQueryBus": Rule(QUERIES),
    "GetRecentRequests": Rule(QUERIES),
    "GetCacheStatistics": Rule(QUERIES),
    "ClearCache": Rule(QUERIES),
}


def rule_of(operation: str, access: Mapping[str, Rule] = ACCESS) -> Rule:
    """Raises UnlistedOperation."""
    rule = access.get(operation)
    if rule is None:
        raise UnlistedOperation(f"{operation} has no row in shared/auth/access.py")
    return rule


def relation_of(principal: Principal, operation: str) -> Relation:
    """Raises UnlistedOperation."""
    return rule_of(operation).of(principal.role)


def refusal_of(role: Role, operation: str) -> str:
    """What both APIs answer the caller of an operation that its role may not do at all."""
    return f"the role {role.value} may not execute {operation}"


def operation_of(route_name: str) -> str:
    """A route is named as its operation: `get_child_profile` is for GetChildProfile."""
    return "".join(word.capitalize() for word in route_name.split("_"))
