"""A parent's consent to everything, as a registration brings it over HTTP."""

from shared.events.child import ConsentPurpose

CONSENTS = [
    {"purpose": purpose.value, "notice_version": "2026-11", "method": "signed_form"}
    for purpose in ConsentPurpose
]

REGISTRATION = ("ChildRegistered", *("ParentalConsentGiven" for _ in CONSENTS))
"""The events of a registration with these consents: one commit."""

BORN = len(REGISTRATION)
"""The version of a child that was registered so."""
