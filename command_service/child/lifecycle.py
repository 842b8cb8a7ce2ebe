"""The end of a child's account, its return, and the erasure of all that is personal."""

from dataclasses import replace
from typing import assert_never

from command_service.child.account import AccountStatus, require_consent, require_not_erased
from command_service.child.commands import (
    DeactivateChild,
    EraseChild,
    LifecycleCommand,
    ReactivateChild,
)
from command_service.child.errors import AlreadyDeactivated, NotDeactivated
from command_service.child.state import Child
from shared.events.child import (
    ChildDeactivated,
    ChildErased,
    ChildEvent,
    ChildProfileUpdated,
    ChildReactivated,
    ConsentPurpose,
    LifecycleEvent,
)
from shared.events.personal import Personal


def decide(command: LifecycleCommand, child: Child) -> list[ChildEvent]:
    match command:
        case DeactivateChild():
            return _deactivate(command, child)
        case ReactivateChild():
            return _reactivate(command, child)
        case EraseChild():
            return _erase(command, child)
        case _:
            assert_never(command)


def evolve(child: Child, event: LifecycleEvent) -> Child:
    match event:
        case ChildDeactivated():
            return replace(child, status=AccountStatus.DEACTIVATED)
        case ChildReactivated():
            return replace(child, status=AccountStatus.ACTIVE)
        case ChildErased():
            # whose child it was stays known: the same parent may ask for erasure again
            return Child(status=AccountStatus.ERASED, parent_id=child.parent_id)
        case _:
            assert_never(event)


def _deactivate(command: DeactivateChild, child: Child) -> list[ChildEvent]:
    require_not_erased(child)
    if child.status is AccountStatus.DEACTIVATED:
        raise AlreadyDeactivated
    reason = Personal(command.reason)
    return [ChildDeactivated(child_id=command.child_id, at=command.at, reason=reason)]


def _reactivate(command: ReactivateChild, child: Child) -> list[ChildEvent]:
    require_not_erased(child)
    if child.status is not AccountStatus.DEACTIVATED:
        raise NotDeactivated
    require_consent(child, ConsentPurpose.ACCOUNT)
    back = ChildReactivated(child_id=command.child_id, at=command.at)
    if not command.without_device or child.profile.device_id is None:
        return [back]
    cleared = ChildProfileUpdated(child_id=command.child_id, at=command.at, cleared=("device_id",))
    return [back, cleared]


def _erase(command: EraseChild, child: Child) -> list[ChildEvent]:
    if child.status is AccountStatus.ERASED:
        return []
    require_not_erased(child)
    return [ChildErased(child_id=command.child_id, at=command.at)]
