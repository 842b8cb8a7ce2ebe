"""Whose child it is: known from the child itself, never from a claim in a token."""

from typing import assert_never

from command_service.domain.child.state import AccountStatus, Child
from shared.auth.access import Relation


def may_act_on(child: Child, subject: str, relation: Relation) -> bool:
    """Whether `subject` is to the child what `relation` asks for."""
    match relation:
        case Relation.OWN_FAMILY:
            return child.parent_id == subject
        case Relation.OWN_BEAR:
            # of a deactivated child no bear is known: it may be another family's by now
            device_id = child.profile.device_id if child.status is AccountStatus.ACTIVE else None
            return device_id is not None and device_id.value == subject
        case Relation.ALL:
            return True
        case Relation.NUMBERS | Relation.NONE:
            return False
        case _:
            assert_never(relation)
