"""Whose child it is: known from the child itself, never from a claim in a token."""

from typing import assert_never

from command_service.domain.child.state import Child
from shared.auth.principal import Principal, Role


def may_act_on(principal: Principal, child: Child) -> bool:
    match principal.role:
        case Role.PARENT:
            return child.parent_id == principal.subject
        case Role.DEVICE:
            device_id = child.profile.device_id
            return device_id is not None and device_id.value == principal.subject
        case Role.SAFETY_OFFICER | Role.ADMIN:
            return True
        case Role.ANALYST:
            return False
        case _:
            assert_never(principal.role)
