"""A parent's consent, given and withdrawn by purpose, also on a deactivated child.

Without consent to a purpose nothing new is kept for it. What protects the child or ends something
needs none: safety reports and their resolution, alert policy, the end of a conversation,
deactivation, erasure.
"""

from typing import assert_never

from command_service.child.account import GivenConsent, require_consent, require_not_erased
from command_service.child.commands import ConsentCommand, GiveConsent, WithdrawConsent
from command_service.child.state import Child
from shared.events.child import (
    ChildEvent,
    ConsentPurpose,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
)


def decide(command: ConsentCommand, child: Child) -> list[ChildEvent]:
    match command:
        case GiveConsent():
            return _give(command, child)
        case WithdrawConsent():
            return _withdraw(command, child)
        case _:
            assert_never(command)


def _give(command: GiveConsent, child: Child) -> list[ChildEvent]:
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


def _withdraw(command: WithdrawConsent, child: Child) -> list[ChildEvent]:
    """Withdrawn from the account, consent is withdrawn from all that rests on it."""
    require_not_erased(child)
    everything = command.purpose is ConsentPurpose.ACCOUNT
    return [
        ParentalConsentWithdrawn(child_id=command.child_id, at=command.at, purpose=purpose)
        for purpose in ConsentPurpose
        if purpose in child.consents and (everything or purpose is command.purpose)
    ]
