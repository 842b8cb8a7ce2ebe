"""What happened at the time of projections 6: they know no later event."""

from shared.events.child import (
    AlertPolicyConfigured,
    ChildDeactivated,
    ChildErased,
    ChildProfileUpdated,
    ChildReactivated,
    ChildRegistered,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
)

FormerEvent = (
    AlertPolicyConfigured
    | ChildDeactivated
    | ChildErased
    | ChildProfileUpdated
    | ChildReactivated
    | ChildRegistered
    | ConversationEnded
    | ConversationStarted
    | MessageRecorded
    | ParentalConsentGiven
    | ParentalConsentWithdrawn
    | SafetyViolationAcknowledged
    | SafetyViolationReported
    | SafetyViolationResolved
)
