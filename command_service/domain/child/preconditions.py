"""What commands about a child ask of it before anything else."""

from command_service.domain.child.errors import (
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    ConsentRequired,
)
from command_service.domain.child.state import AccountStatus, Child
from shared.events.child import ConsentPurpose


def require_active(child: Child) -> None:
    require_not_erased(child)
    if child.status is AccountStatus.DEACTIVATED:
        raise ChildDeactivatedError


def require_not_erased(child: Child) -> None:
    if child.status is AccountStatus.UNREGISTERED:
        raise ChildNotFound
    if child.status is AccountStatus.ERASED:
        raise ChildErasedError


def require_consent(child: Child, purpose: ConsentPurpose) -> None:
    if purpose not in child.consents:
        raise ConsentRequired(purpose)
