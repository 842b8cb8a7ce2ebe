"""The account itself: who it belongs to, whether it is active, and the child's profile.

`Account` is what every decision about a child looks at first. Here are registration and changes of
the profile. What a parent says about consents is decided in consents.py, the account's end and its
return in lifecycle.py.
"""

import json
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar, assert_never

from rpds import HashTrieMap

from command_service.child.commands import (
    UNCHANGED,
    AccountCommand,
    RegisterChild,
    UpdateChildProfile,
)
from command_service.child.errors import (
    AlreadyRegistered,
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    ConsentRequired,
)
from shared.events.child import (
    AccountEvent,
    ChildEvent,
    ChildProfileUpdated,
    ChildRegistered,
    ConsentMethod,
    ConsentPurpose,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
)
from shared.events.personal import Personal


class AccountStatus(StrEnum):
    UNREGISTERED = "unregistered"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Profile:
    """Personal values are in plaintext here (memory only); without value once the key is gone."""

    name: Personal[str] | None = None
    age: int | None = None
    udid: Personal[str] | None = None
    device_id: Personal[str] | None = None
    preferences: Personal[dict[str, Any]] | None = None
    learning_style: Personal[str] | None = None
    interests: Personal[list[str]] | None = None


def _of_profile(other: type[Any]) -> tuple[str, ...]:
    """The fields of a profile that a command or an event has under the same name."""
    names = {each.name for each in fields(other)}
    return tuple(each.name for each in fields(Profile) if each.name in names)


REGISTERED, UPDATED = _of_profile(ChildRegistered), _of_profile(ChildProfileUpdated)
PERSONALIZATION = ("preferences", "learning_style", "interests")
"""What needs consent to that purpose; all else of a profile rests on the account."""
CLEARABLE = ("device_id", *PERSONALIZATION)


@dataclass(frozen=True, slots=True)
class GivenConsent:
    notice_version: str
    method: ConsentMethod


@dataclass(frozen=True, slots=True)
class Account:
    """`consents`: what the parent consents to today."""

    status: AccountStatus = AccountStatus.UNREGISTERED
    parent_id: str = ""
    profile: Profile = field(default_factory=Profile)
    consents: "HashTrieMap[ConsentPurpose, GivenConsent]" = field(default_factory=HashTrieMap)


AccountT = TypeVar("AccountT", bound=Account)


def require_active(account: Account) -> None:
    require_not_erased(account)
    if account.status is AccountStatus.DEACTIVATED:
        raise ChildDeactivatedError


def require_not_erased(account: Account) -> None:
    if account.status is AccountStatus.UNREGISTERED:
        raise ChildNotFound
    if account.status is AccountStatus.ERASED:
        raise ChildErasedError


def require_consent(account: Account, purpose: ConsentPurpose) -> None:
    if purpose not in account.consents:
        raise ConsentRequired(purpose)


def decide(command: AccountCommand, account: Account) -> list[ChildEvent]:
    match command:
        case RegisterChild():
            return _register(command, account)
        case UpdateChildProfile():
            return _update_profile(command, account)
        case _:
            assert_never(command)


def evolve(account: AccountT, event: AccountEvent) -> AccountT:
    match event:
        case ChildRegistered():
            profile = Profile(**{name: getattr(event, name) for name in REGISTERED})
            return replace(
                account, status=AccountStatus.ACTIVE, parent_id=event.parent_id, profile=profile
            )
        case ChildProfileUpdated():
            return replace(account, profile=_updated(account.profile, event))
        case ParentalConsentGiven():
            given = GivenConsent(event.notice_version, event.method)
            return replace(account, consents=account.consents.insert(event.purpose, given))
        case ParentalConsentWithdrawn():
            return replace(account, consents=account.consents.discard(event.purpose))
        case _:
            assert_never(event)


def _register(command: RegisterChild, account: Account) -> list[ChildEvent]:
    if account.status is not AccountStatus.UNREGISTERED:
        raise AlreadyRegistered
    _require_consents(command)
    about: dict[str, Any] = {"child_id": command.child_id, "at": command.at}
    profile = {name: _recorded(name, getattr(command, name)) for name in REGISTERED}
    return [
        ChildRegistered(**about, parent_id=command.parent_id, **profile),
        *(
            ParentalConsentGiven(
                **about,
                purpose=consent.purpose,
                notice_version=consent.notice_version,
                method=consent.method,
            )
            for consent in command.consents
        ),
    ]


def _require_consents(command: RegisterChild) -> None:
    """A registration brings the consents that it needs; the other purposes rest on the account."""
    given = {consent.purpose for consent in command.consents}
    needed = [ConsentPurpose.ACCOUNT]
    if any(getattr(command, name) is not None for name in PERSONALIZATION):
        needed.append(ConsentPurpose.PERSONALIZATION)
    for purpose in needed:
        if purpose not in given:
            raise ConsentRequired(purpose, registering=True)


def _update_profile(command: UpdateChildProfile, account: Account) -> list[ChildEvent]:
    require_active(account)
    profile = account.profile
    changes = {
        name: _recorded(name, new)
        for name in UPDATED
        if (new := getattr(command, name)) is not UNCHANGED
        and new is not None
        and not _is_same(_recorded(name, new), getattr(profile, name))
    }
    cleared = tuple(
        name
        for name in CLEARABLE
        if getattr(command, name) is None and getattr(profile, name) is not None
    )
    if not changes and not cleared:
        return []
    # to clear a field is to keep less: that needs no consent
    if not changes.keys() <= set(PERSONALIZATION):
        require_consent(account, ConsentPurpose.ACCOUNT)
    if not changes.keys().isdisjoint(PERSONALIZATION):
        require_consent(account, ConsentPurpose.PERSONALIZATION)
    return [
        ChildProfileUpdated(child_id=command.child_id, at=command.at, cleared=cleared, **changes)
    ]


def _recorded(name: str, value: Any) -> Any:
    """A value of a command as events and profiles have it: all but an age is personal."""
    if value is None or name == "age":
        return value
    return Personal(list(value) if isinstance(value, tuple) else value)


def _is_same(new: Any, old: Any) -> bool:
    if new != old:
        return False
    # as JSON: to Python 1, 1.0 and True are equal, to whoever set a preference they are not
    new, old = (each.value if isinstance(each, Personal) else each for each in (new, old))
    return json.dumps(new, sort_keys=True) == json.dumps(old, sort_keys=True)


def _updated(profile: Profile, event: ChildProfileUpdated) -> Profile:
    """None in an event is no change: what is cleared, the event names."""
    given = {name: getattr(event, name) for name in UPDATED}
    changes = {name: value for name, value in given.items() if value is not None}
    cleared = {name: None for name in UPDATED if name in event.cleared}
    return replace(profile, **(changes | cleared))
