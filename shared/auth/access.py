"""Who may do what: the one table that both APIs ask. docs/access.md is made from it.

An operation is a command, a query or a route for operators, under its class's name. One that has
no row here cannot be registered, and a route whose name is no operation's fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.auth.principal import Principal, Role


class Relation(StrEnum):
    """What a caller must be to the child or family that an operation is about."""

    OWN_FAMILY = "own family"
    OWN_BEAR = "own child"
    ALL = "all"
    NUMBERS = "numbers only"
    NONE = "no"


class RateClass(StrEnum):
    """Operations that share one limit of requests a subject."""

    REGISTRATION = "registration"
    COMMANDS = "commands"
    QUERIES = "queries"
    SEARCH = "search"
    STREAM = "stream"
    EXPORT = "export"


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
        relation: Relation = getattr(self, role.value)
        return relation


class UnlistedOperation(LookupError):
    """An operation without a row: nobody may do it until someone says who may."""


ALL, NUMBERS = Relation.ALL, Relation.NUMBERS
OWN_FAMILY, OWN_BEAR = Relation.OWN_FAMILY, Relation.OWN_BEAR
REGISTRATION, COMMANDS = RateClass.REGISTRATION, RateClass.COMMANDS
QUERIES, SEARCH, STREAM = RateClass.QUERIES, RateClass.SEARCH, RateClass.STREAM
EXPORT = RateClass.EXPORT

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
    # that the parent has seen it can be said by nobody else
    "AcknowledgeSafetyViolation": Rule(COMMANDS, parent=OWN_FAMILY, admin=Relation.NONE),
    "StartConversation": Rule(COMMANDS, device=OWN_BEAR),
    "RecordMessage": Rule(COMMANDS, device=OWN_BEAR),
    "EndConversation": Rule(COMMANDS, device=OWN_BEAR),
    # queries
    "GetChildProfile": Rule(QUERIES, parent=OWN_FAMILY, device=OWN_BEAR, safety_officer=ALL),
    "GetChildSafetyReport": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildConversations": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildAnalytics": Rule(QUERIES, parent=OWN_FAMILY, device=OWN_BEAR, safety_officer=ALL),
    "SearchChildren": Rule(SEARCH, parent=OWN_FAMILY, safety_officer=ALL),
    "GetChildrenByParent": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetAlerts": Rule(QUERIES, parent=OWN_FAMILY, safety_officer=ALL),
    "GetErasureReceipt": Rule(QUERIES, parent=OWN_FAMILY),
    "ExportChild": Rule(EXPORT, parent=OWN_FAMILY),
    "FollowFamily": Rule(STREAM, parent=OWN_FAMILY, safety_officer=ALL),
    "GetSystemAnalytics": Rule(QUERIES, safety_officer=NUMBERS, analyst=NUMBERS, admin=NUMBERS),
    # the processes themselves
    "GetCommandBus": Rule(QUERIES),
    "GetQueryBus": Rule(QUERIES),
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
    """What the caller of an operation that its role may not do at all is told, by both APIs."""
    return f"the role {role.value} may not execute {operation}"


def operation_of(route_name: str) -> str:
    """A route is named as its operation: `get_child_profile` is for GetChildProfile."""
    return "".join(word.capitalize() for word in route_name.split("_"))
