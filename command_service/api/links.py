"""What can be asked next with what a command answered: the links of the OpenAPI document."""

from shared.http.openapi import Link, Links

CHILD = "/v1/children/{child_id}"
TALK = f"{CHILD}/conversations/{{conversation_id}}"
VIOLATION = f"{CHILD}/safety-violations/{{violation_id}}"

OF_CHILD = {"child_id": "$response.body#/child_id"}
SEEING_IT = OF_CHILD | {"header.Consistency-Token": "$response.header.Consistency-Token"}
OF_NEW_TALK = OF_CHILD | {"conversation_id": "$response.body#/conversation_id"}
OF_SAME_TALK = OF_CHILD | {"conversation_id": "$request.path.conversation_id"}
OF_VIOLATION = OF_CHILD | {"violation_id": "$response.body#/violation_id"}


def _query(name: str, path: str, description: str) -> Link:
    return Link(name, f"GET {path}", description, SEEING_IT, elsewhere=True)


PROFILE = _query("GetChildProfile", CHILD, "The child after this command.")
REPORT = _query(
    "GetChildSafetyReport", f"{CHILD}/safety-report", "The child's safety after this command."
)
ANALYTICS = _query(
    "GetChildAnalytics", f"{CHILD}/analytics", "The child's use of the bear after this command."
)
RECEIPT = _query(
    "GetErasureReceipt", f"{CHILD}/erasure-receipt", "What was removed and what remains."
)


def _message(conversation: dict[str, str]) -> Link:
    return Link(
        "RecordMessage", f"POST {TALK}/messages", "A message of the conversation.", conversation
    )


def _end(conversation: dict[str, str]) -> Link:
    return Link("EndConversation", f"POST {TALK}/end", "End it.", conversation)


LINKS: Links = {
    "POST /v1/children": (
        PROFILE,
        Link("UpdateChildProfile", f"PATCH {CHILD}/profile", "Change it.", OF_CHILD),
        Link("GiveConsent", f"PUT {CHILD}/consents/{{purpose}}", "Consent to more.", OF_CHILD),
        Link("ConfigureAlerts", f"PUT {CHILD}/alert-policy", "When to alert.", OF_CHILD),
        Link("StartConversation", f"POST {CHILD}/conversations", "Start a conversation.", OF_CHILD),
        Link("ReportSafetyViolation", f"POST {CHILD}/safety-violations", "Report one.", OF_CHILD),
        Link("DeactivateChild", f"POST {CHILD}/deactivation", "End the account.", OF_CHILD),
        Link("EraseChild", f"DELETE {CHILD}/personal-data", "Erase the child.", OF_CHILD),
    ),
    f"PATCH {CHILD}/profile": (PROFILE,),
    f"PUT {CHILD}/consents/{{purpose}}": (
        PROFILE,
        Link(
            "WithdrawConsent",
            f"DELETE {CHILD}/consents/{{purpose}}",
            "Withdraw it.",
            OF_CHILD | {"purpose": "$request.path.purpose"},
        ),
    ),
    f"DELETE {CHILD}/consents/{{purpose}}": (PROFILE,),
    f"PUT {CHILD}/alert-policy": (REPORT,),
    f"POST {CHILD}/safety-violations": (
        REPORT,
        Link("ResolveSafetyViolation", f"POST {VIOLATION}/resolution", "Resolve it.", OF_VIOLATION),
        Link(
            "AcknowledgeSafetyViolation",
            f"POST {VIOLATION}/acknowledgement",
            "Acknowledge it as the parent.",
            OF_VIOLATION,
        ),
    ),
    f"POST {VIOLATION}/resolution": (REPORT,),
    f"POST {VIOLATION}/acknowledgement": (REPORT,),
    f"POST {CHILD}/conversations": (_message(OF_NEW_TALK), _end(OF_NEW_TALK)),
    f"POST {TALK}/messages": (_message(OF_SAME_TALK), _end(OF_SAME_TALK)),
    f"POST {TALK}/end": (ANALYTICS,),
    f"POST {CHILD}/deactivation": (
        PROFILE,
        Link("ReactivateChild", f"POST {CHILD}/reactivation", "Reactivate it.", OF_CHILD),
    ),
    f"POST {CHILD}/reactivation": (PROFILE,),
    f"DELETE {CHILD}/personal-data": (RECEIPT,),
}
