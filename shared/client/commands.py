"""The commands of TeddyClient."""

from types import EllipsisType
from typing import Any

from shared.client import answers
from shared.client.calls import Calls, path_of


class Commands(Calls):
    """Each answers once the command is durable."""

    async def register_child(
        self, name: str, age: int, udid: str, *, idempotency_key: str | None = None, **profile: Any
    ) -> answers.CommandAnswer:
        """`profile`: parent_id, device_id, preferences, learning_style, interests; and `consents`,
        the parent's: [{purpose, notice_version, method}], at least to the purpose account."""
        body = {"name": name, "age": age, "udid": udid, **profile}
        return await self.send("POST", path_of("children"), body, idempotency_key)

    async def update_child_profile(self, child_id: str, **changes: Any) -> answers.CommandAnswer:
        """`changes`: name, age, device_id, preferences, learning_style, interests."""
        return await self.send("PATCH", path_of("children", child_id, "profile"), changes)

    async def give_consent(
        self, child_id: str, purpose: str, notice_version: str, method: str
    ) -> answers.CommandAnswer:
        """`purpose`: account, conversations or personalization. `method`: e.g. signed_form."""
        path = path_of("children", child_id, "consents", purpose)
        return await self.send("PUT", path, {"notice_version": notice_version, "method": method})

    async def withdraw_consent(self, child_id: str, purpose: str) -> answers.CommandAnswer:
        return await self.send("DELETE", path_of("children", child_id, "consents", purpose))

    async def report_safety_violation(
        self,
        child_id: str,
        violation_type: str,
        severity: str,
        details: str | None = None,
        conversation_id: str | None = None,
    ) -> answers.CommandAnswer:
        """`severity`: low, medium, high or critical. The answer has the violation's id."""
        body = {"type": violation_type, "severity": severity}
        optional = {"details": details, "conversation_id": conversation_id}
        body |= {name: value for name, value in optional.items() if value is not None}
        return await self.send("POST", path_of("children", child_id, "safety-violations"), body)

    async def resolve_safety_violation(
        self, child_id: str, violation_id: str, outcome: str, note: str | None = None
    ) -> answers.CommandAnswer:
        """`outcome`: confirmed or false_positive. `note`: why, for who looks at it next."""
        path = path_of("children", child_id, "safety-violations", violation_id, "resolution")
        body = {"outcome": outcome} | ({} if note is None else {"note": note})
        return await self.send("POST", path, body)

    async def reopen_safety_violation(
        self, child_id: str, violation_id: str, reason: str
    ) -> answers.CommandAnswer:
        """It is open again, as if it had never been resolved."""
        path = path_of("children", child_id, "safety-violations", violation_id, "reopening")
        return await self.send("POST", path, {"reason": reason})

    async def assign_safety_violation(
        self,
        child_id: str,
        violation_id: str,
        assignee: str | None,
        instead_of: str | EllipsisType | None = ...,
    ) -> answers.CommandAnswer:
        """`assignee`: the subject of who looks into it; None: nobody does. `instead_of`: who must
        have it until then, or 409 `violation-already-assigned`; left out: whoever has it."""
        path = path_of("children", child_id, "safety-violations", violation_id, "assignee")
        expected = {} if instead_of is ... else {"instead_of": instead_of}
        return await self.send("PUT", path, {"assignee": assignee} | expected)

    async def acknowledge_safety_violation(
        self, child_id: str, violation_id: str
    ) -> answers.CommandAnswer:
        """The parent has seen it: the alert that it raised counts as read."""
        path = path_of("children", child_id, "safety-violations", violation_id, "acknowledgement")
        return await self.send("POST", path)

    async def configure_alerts(
        self, child_id: str, threshold: str, count: int, window_hours: int, channels: list[str]
    ) -> answers.CommandAnswer:
        body = {
            "threshold": threshold,
            "count": count,
            "window_hours": window_hours,
            "channels": channels,
        }
        return await self.send("PUT", path_of("children", child_id, "alert-policy"), body)

    async def start_conversation(
        self, child_id: str, topic: str | None = None, conversation_id: str | None = None
    ) -> answers.CommandAnswer:
        """The answer has the conversation's id: the UUID given here, or else a new one."""
        optional = {"topic": topic, "conversation_id": conversation_id}
        body = {name: value for name, value in optional.items() if value is not None}
        return await self.send("POST", path_of("children", child_id, "conversations"), body)

    async def record_message(
        self, child_id: str, conversation_id: str, role: str, word_count: int, **about: Any
    ) -> answers.CommandAnswer:
        """`role`: child or bear. `about`: topic, flagged_categories, learning_skills."""
        path = path_of("children", child_id, "conversations", conversation_id, "messages")
        return await self.send("POST", path, {"role": role, "word_count": word_count, **about})

    async def end_conversation(self, child_id: str, conversation_id: str) -> answers.CommandAnswer:
        path = path_of("children", child_id, "conversations", conversation_id, "end")
        return await self.send("POST", path)

    async def deactivate_child(self, child_id: str, reason: str) -> answers.CommandAnswer:
        path = path_of("children", child_id, "deactivation")
        return await self.send("POST", path, {"reason": reason})

    async def reactivate_child(self, child_id: str) -> answers.CommandAnswer:
        return await self.send("POST", path_of("children", child_id, "reactivation"))

    async def erase_child(self, child_id: str) -> answers.CommandAnswer:
        """Destroy the key of the child's personal data, for good."""
        return await self.send("DELETE", path_of("children", child_id, "personal-data"))
