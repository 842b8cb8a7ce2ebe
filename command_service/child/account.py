"""Deciding about the account itself: registration, profile, consents, its end and its return.

Consent is given and withdrawn by purpose, also on a deactivated child. Without the parent's consent
to a purpose nothing new is kept for it. What protects the child or ends something needs none:
safety reports and their resolution, alert policy, the end of a conversation, deactivation, erasure.
"""

import json
from typing import Any

from command_service.child.commands import (
    UNCHANGED,
    DeactivateChild,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RegisterChild,
    UpdateChildProfile,
    WithdrawConsent,
)
from command_service.child.errors import (
    AlreadyDeactivated,
    AlreadyRegistered,
    ConsentRequired,
    NotDeactivated,
)
from command_service.child.state import (
    AccountStatus,
    Child,
    GivenConsent,
    Profile,
    require_active,
    require_consent,
    require_not_erased,
)
from shared.events.child import (
    ChildDeactivated,
    ChildErased,
    ChildEvent,
    ChildProfileUpdated,
    ChildReactivated,
    ChildRegistered,
    ConsentPurpose,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
)
from shared.events.personal import Personal

ACCOUNT_FIELDS = ("name", "age", "device_id")
PERSONALIZATION_FIELDS = ("preferences", "learning_style", "interests")
"""What a profile holds under which consent."""
CLEARABLE = ("device_id", *PERSONALIZATION_FIELDS)


def register(command: RegisterChild, child: Child) -> list[ChildEvent]:
    if child.status is not AccountStatus.UNREGISTERED:
        raise AlreadyRegistered
    _require_consents(command)
    return [
        ChildRegistered(
            child_id=command.child_id,
            at=command.at,
            parent_id=command.parent_id,
            name=Personal(command.name),
            age=command.age,
            udid=Personal(command.udid),
            device_id=_personal(command.device_id),
            preferences=_personal(command.preferences),
            learning_style=_personal(command.learning_style),
            interests=_personal(_listed(command.interests)),
        ),
        *(
            ParentalConsentGiven(
                child_id=command.child_id,
                at=command.at,
                purpose=consent.purpose,
                notice_version=consent.notice_version,
                method=consent.method,
            )
            for consent in command.consents
        ),
    ]


def update_profile(command: UpdateChildProfile, child: Child) -> list[ChildEvent]:
    require_active(child)
    profile = child.profile
    interests = _listed(command.interests)
    changes: dict[str, Any] = {
        "name": _changed(command.name, profile.name),
        "age": None if command.age in (UNCHANGED, profile.age) else command.age,
        "device_id": _changed(command.device_id, profile.device_id),
        "preferences": _changed(command.preferences, profile.preferences),
        "learning_style": _changed(command.learning_style, profile.learning_style),
        "interests": _changed(interests, profile.interests),
        "cleared": _cleared(command, profile),
    }
    if not any(changes.values()):
        return []
    # to clear a field is to keep less: that needs no consent
    if any(changes[field] is not None for field in ACCOUNT_FIELDS):
        require_consent(child, ConsentPurpose.ACCOUNT)
    if any(changes[field] is not None for field in PERSONALIZATION_FIELDS):
        require_consent(child, ConsentPurpose.PERSONALIZATION)
    return [ChildProfileUpdated(child_id=command.child_id, at=command.at, **changes)]


def deactivate(command: DeactivateChild, child: Child) -> list[ChildEvent]:
    require_not_erased(child)
    if child.status is AccountStatus.DEACTIVATED:
        raise AlreadyDeactivated
    reason = Personal(command.reason)
    return [ChildDeactivated(child_id=command.child_id, at=command.at, reason=reason)]


def reactivate(command: ReactivateChild, child: Child) -> list[ChildEvent]:
    require_not_erased(child)
    if child.status is not AccountStatus.DEACTIVATED:
        raise NotDeactivated
    require_consent(child, ConsentPurpose.ACCOUNT)
    back = ChildReactivated(child_id=command.child_id, at=command.at)
    if not command.without_device or child.profile.device_id is None:
        return [back]
    cleared = ChildProfileUpdated(child_id=command.child_id, at=command.at, cleared=("device_id",))
    return [back, cleared]


def erase(command: EraseChild, child: Child) -> list[ChildEvent]:
    if child.status is AccountStatus.ERASED:
        return []
    require_not_erased(child)
    return [ChildErased(child_id=command.child_id, at=command.at)]


def give_consent(command: GiveConsent, child: Child) -> list[ChildEvent]:
    require_not_erased(child)
    if command.purpose is not ConsentPurpose.ACCOUNT:
        require_consent(child, ConsentPurpose.ACCOUNT)
    today = child.consents.get(command.purpose)
    if today == GivenConsent(command.notice_version, command.method):
        return []
    return [
        ParentalConsentGiven(
            child_id=command.child_id,
            at=command.at,
            purpose=command.purpose,
            notice_version=command.notice_version,
            method=command.method,
        )
    ]


def withdraw_consent(command: WithdrawConsent, child: Child) -> list[ChildEvent]:
    """Withdrawn from the account, consent is withdrawn from all that rests on it."""
    require_not_erased(child)
    everything = command.purpose is ConsentPurpose.ACCOUNT
    return [
        ParentalConsentWithdrawn(child_id=command.child_id, at=command.at, purpose=purpose)
        for purpose in ConsentPurpose
        if purpose in child.consents and (everything or purpose is command.purpose)
    ]


def _require_consents(command: RegisterChild) -> None:
    """A registration brings the consents that it needs; the other purposes rest on the account."""
    given = {consent.purpose for consent in command.consents}
    needed = [ConsentPurpose.ACCOUNT]
    if any(getattr(command, field) is not None for field in PERSONALIZATION_FIELDS):
        needed.append(ConsentPurpose.PERSONALIZATION)
    for purpose in needed:
        if purpose not in given:
            raise ConsentRequired(purpose, registering=True)


def _personal(value: Any) -> Personal[Any] | None:
    return None if value is None else Personal(value)


def _listed(interests: Any) -> Any:
    return list(interests) if isinstance(interests, tuple) else interests


def _changed(new: Any, old: Personal[Any] | None) -> Personal[Any] | None:
    """The new value, or None where it is not given, cleared, or today's already."""
    if new is UNCHANGED or new is None or (old is not None and _same(new, old.value)):
        return None
    return Personal(new)


def _same(new: Any, old: Any) -> bool:
    # as JSON: to Python 1, 1.0 and True are equal, to whoever set a preference they are not
    return new == old and json.dumps(new, sort_keys=True) == json.dumps(old, sort_keys=True)


def _cleared(command: UpdateChildProfile, profile: Profile) -> tuple[str, ...]:
    return tuple(
        field
        for field in CLEARABLE
        if getattr(command, field) is None and getattr(profile, field) is not None
    )
