"""The client: every command and every query, with idempotency keys and consistency tokens."""

from collections.abc import AsyncIterator
from typing import Any, cast

import orjson

from shared.client import answers
from shared.client.audit_answers import ChildAuditRecords
from shared.client.calls import path_of
from shared.client.consent_answers import ChildConsents
from shared.client.export import whole
from shared.client.freshness import FreshAnswer
from shared.client.system import SystemQueries


class TeddyClient(SystemQueries):
    """Both APIs for one caller. Use it as an asynchronous context manager.

    Every command carries an idempotency key, kept through its retries. After a command about a
    child, queries about it see its effect or raise TeddyProblem `read-model-late`, having waited
    10 s up to four times: the client remembers each child's newest consistency token and sends it
    along. A query about many children waits for the child that was written last.
    """

    async def get_child_profile(self, child_id: str) -> answers.ChildProfile:
        return cast(answers.ChildProfile, await self.ask(path_of("children", child_id), child_id))

    async def export_child(self, child_id: str) -> dict[str, Any]:
        """All that is stored about the child: profile, safety, conversations, activity, alerts and
        every event. In memory; for a long history read `export_records`."""
        download = self.download(child_id)
        document = await whole(download.records())
        return FreshAnswer(document, download.headers)

    def export_records(self, child_id: str) -> AsyncIterator[dict[str, Any]]:
        """The same, record by record: `kind` is export (first), profile, safety, violation,
        conversation, activity, alert, event or end (last). Where the connection breaks it goes on,
        no record twice and none missing.

        Raises TeddyProblem when refused, Unreachable when it breaks again and again.
        """
        return self.download(child_id).records()

    async def get_children_by_parent(
        self, parent_id: str, limit: int = 20, cursor: str | None = None
    ) -> answers.Family:
        """One page of at most `limit` (100), the newest accounts first. `totals` are of all
        children; they come with the first page, None with others."""
        path = path_of("parents", parent_id, "children")
        params = {"limit": limit, "cursor": cursor}
        return cast(answers.Family, await self.ask(path, params=params))

    async def whole_family(self, parent_id: str) -> AsyncIterator[answers.ChildAtAGlance]:
        """Every child of the parent, page after page."""
        cursor: str | None = None
        while True:
            page = await self.get_children_by_parent(parent_id, limit=100, cursor=cursor)
            for child in page["children"]:
                yield child
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def get_child_safety_report(
        self,
        child_id: str,
        since: str | None = None,
        until: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> answers.SafetyReport:
        """`since` (included) and `until` (excluded): RFC 3339 instants; or UTC days as 2026-11-01,
        from the beginning of the one to the end of the other. `violations` are one page of at most
        `limit` (200); `next_cursor` leads to the next one. All else is of the whole period."""
        path = path_of("children", child_id, "safety-report")
        params = {"from": since, "to": until, "limit": limit, "cursor": cursor}
        return cast(answers.SafetyReport, await self.ask(path, child_id, params))

    async def get_alert_policy(self, child_id: str) -> answers.AlertPolicyInForce:
        path = path_of("children", child_id, "alert-policy")
        return cast(answers.AlertPolicyInForce, await self.ask(path, child_id))

    async def get_child_conversations(
        self, child_id: str, limit: int = 50, cursor: str | None = None
    ) -> answers.Conversations:
        """One page of at most `limit` (200), the newest first."""
        path = path_of("children", child_id, "conversations")
        params = {"limit": limit, "cursor": cursor}
        return cast(answers.Conversations, await self.ask(path, child_id, params))

    async def get_child_consents(
        self, child_id: str, limit: int = 50, cursor: str | None = None
    ) -> ChildConsents:
        """Each consent that was given or withdrawn: one page of at most `limit` (200), the newest
        first."""
        path = path_of("children", child_id, "consents")
        params = {"limit": limit, "cursor": cursor}
        return cast(ChildConsents, await self.ask(path, child_id, params))

    async def get_child_analytics(
        self, child_id: str, period_days: int = 30
    ) -> answers.ChildAnalytics:
        path = path_of("children", child_id, "analytics")
        params = {"period_days": period_days}
        return cast(answers.ChildAnalytics, await self.ask(path, child_id, params))

    async def get_child_series(
        self, child_id: str, first: str | None = None, last: str | None = None
    ) -> answers.ChildSeries:
        """UTC days as 2026-11-01, both included, at most 366; without them the last 30."""
        path = path_of("children", child_id, "series")
        params = {"from": first, "to": last}
        return cast(answers.ChildSeries, await self.ask(path, child_id, params))

    async def get_child_audit_records(
        self, child_id: str, limit: int = 50, cursor: str | None = None
    ) -> ChildAuditRecords:
        """Who asked for what about the child: one page of at most `limit` (200), the newest first;
        roles safety_officer and admin. Also of an erased child."""
        path = path_of("children", child_id, "audit-records")
        params = {"limit": limit, "cursor": cursor}
        return cast(ChildAuditRecords, await self.ask(path, params=params))

    async def export_evidence(self, child_id: str, violation_id: str) -> bytes:
        """The file that `teddy evidence verify` takes; roles safety_officer and admin. It takes up
        to 30 s, and is asked for once.

        Raises TeddyProblem; after its `retry_after` seconds it may be there, as after
        `evidence-not-signed-yet`. Unreachable when the connection breaks.
        """
        path = path_of("children", child_id, "safety-violations", violation_id, "evidence")
        async with self._query.stream(path) as response:
            return await response.aread()

    async def get_erasure_receipt(self, child_id: str) -> answers.ErasureReceipt:
        """What was removed of an erased child, signed; TeddyProblem 404 for one that is not."""
        path = path_of("children", child_id, "erasure-receipt")
        return cast(answers.ErasureReceipt, await self.ask(path))

    async def search_children(self, **conditions: Any) -> answers.FoundChildren:
        """One page. Conditions: name, age_min, age_max, parent_id, safety_status,
        engagement_level, status, violations ("open"), limit, cursor."""
        return cast(answers.FoundChildren, await self.ask(path_of("children"), params=conditions))

    async def all_children(self, **conditions: Any) -> AsyncIterator[answers.FoundChild]:
        """Every child that a search finds, page after page."""
        cursor: str | None = None
        while True:
            page = await self.search_children(**conditions, cursor=cursor)
            for child in page["items"]:
                yield child
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def get_alerts(
        self, parent_id: str, limit: int = 20, cursor: str | None = None
    ) -> answers.Alerts:
        path = path_of("parents", parent_id, "alerts")
        params = {"limit": limit, "cursor": cursor}
        return cast(answers.Alerts, await self.ask(path, params=params))

    async def get_safety_violations(self, **conditions: Any) -> answers.SafetyViolations:
        """One page of the violations of all children; roles safety_officer and admin. Conditions:
        status (open, resolved, all), severity, assignee, sort (severity, oldest, newest), limit,
        cursor."""
        path = path_of("safety-violations")
        return cast(answers.SafetyViolations, await self.ask(path, params=conditions))

    async def live_updates(self, parent_id: str) -> AsyncIterator[answers.LiveUpdate]:
        """Alerts and changes of a parent's children as they happen; ends when the server does.

        Raises TeddyProblem when refused, Unreachable when the connection is lost.
        """
        async with self._query.stream(path_of("parents", parent_id, "stream")) as response:
            event = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    yield answers.LiveUpdate(event=event, data=orjson.loads(value))
