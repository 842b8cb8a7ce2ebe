"""The client: every command and every query, with idempotency keys and consistency tokens."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx2
import orjson

from shared.client import answers
from shared.client.export import Download, whole
from shared.client.freshness import FreshAnswer
from shared.client.transport import (
    NotYetAvailable,
    Observer,
    TeddyProblem,
    TokenSource,
    Transport,
    Unreachable,
)
from shared.clock import NewId, new_id

TOKEN_HEADER = "Consistency-Token"  # noqa: S105 - a header's name
REMEMBERED_CHILDREN = 10_000
WAIT_SECONDS = 10


class TeddyClient:
    """Both APIs for one caller. Use it as an asynchronous context manager.

    Every command carries an idempotency key, kept through its retries. After a command about a
    child, queries about it see its effect or raise TeddyProblem `read-model-late`, having waited
    10 s up to four times: the client remembers each child's newest consistency token and sends it
    along. A query about many children waits for the child that was written last.
    """

    def __init__(
        self,
        command_url: str,
        query_url: str,
        token: TokenSource,
        *,
        timeout: float = 15.0,
        observe: Observer | None = None,
        ids: NewId = new_id,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._command = Transport(command_url, token, timeout, observe, transport)
        self._query = Transport(query_url, token, timeout, observe, transport)
        self._new_id = ids
        self._tokens: OrderedDict[str, tuple[int, str]] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._command.close()
        await self._query.close()

    # Commands

    async def register_child(
        self, name: str, age: int, udid: str, *, idempotency_key: str | None = None, **profile: Any
    ) -> answers.CommandAnswer:
        """`profile`: parent_id, device_id, preferences, learning_style, interests; and `consents`,
        the parent's: [{purpose, notice_version, method}], at least to the purpose account."""
        body = {"name": name, "age": age, "udid": udid, **profile}
        return await self._send("POST", _path("children"), body, idempotency_key)

    async def update_child_profile(self, child_id: str, **changes: Any) -> answers.CommandAnswer:
        """`changes`: name, age, device_id, preferences, learning_style, interests."""
        return await self._send("PATCH", _path("children", child_id, "profile"), changes)

    async def give_consent(
        self, child_id: str, purpose: str, notice_version: str, method: str
    ) -> answers.CommandAnswer:
        """`purpose`: account, conversations or personalization. `method`: e.g. signed_form."""
        path = _path("children", child_id, "consents", purpose)
        return await self._send("PUT", path, {"notice_version": notice_version, "method": method})

    async def withdraw_consent(self, child_id: str, purpose: str) -> answers.CommandAnswer:
        return await self._send("DELETE", _path("children", child_id, "consents", purpose))

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
        return await self._send("POST", _path("children", child_id, "safety-violations"), body)

    async def resolve_safety_violation(
        self, child_id: str, violation_id: str, outcome: str
    ) -> answers.CommandAnswer:
        """`outcome`: confirmed or false_positive."""
        path = _path("children", child_id, "safety-violations", violation_id, "resolution")
        return await self._send("POST", path, {"outcome": outcome})

    async def acknowledge_safety_violation(
        self, child_id: str, violation_id: str
    ) -> answers.CommandAnswer:
        """The parent has seen it: the alert that it raised counts as read."""
        path = _path("children", child_id, "safety-violations", violation_id, "acknowledgement")
        return await self._send("POST", path)

    async def configure_alerts(
        self, child_id: str, threshold: str, count: int, window_hours: int, channels: list[str]
    ) -> answers.CommandAnswer:
        body = {
            "threshold": threshold,
            "count": count,
            "window_hours": window_hours,
            "channels": channels,
        }
        return await self._send("PUT", _path("children", child_id, "alert-policy"), body)

    async def start_conversation(
        self, child_id: str, topic: str | None = None, conversation_id: str | None = None
    ) -> answers.CommandAnswer:
        """The answer has the conversation's id: the UUID given here, or else a new one."""
        optional = {"topic": topic, "conversation_id": conversation_id}
        body = {name: value for name, value in optional.items() if value is not None}
        return await self._send("POST", _path("children", child_id, "conversations"), body)

    async def record_message(
        self, child_id: str, conversation_id: str, role: str, word_count: int, **about: Any
    ) -> answers.CommandAnswer:
        """`role`: child or bear. `about`: topic, flagged_categories, learning_skills."""
        path = _path("children", child_id, "conversations", conversation_id, "messages")
        return await self._send("POST", path, {"role": role, "word_count": word_count, **about})

    async def end_conversation(self, child_id: str, conversation_id: str) -> answers.CommandAnswer:
        path = _path("children", child_id, "conversations", conversation_id, "end")
        return await self._send("POST", path)

    async def deactivate_child(self, child_id: str, reason: str) -> answers.CommandAnswer:
        path = _path("children", child_id, "deactivation")
        return await self._send("POST", path, {"reason": reason})

    async def reactivate_child(self, child_id: str) -> answers.CommandAnswer:
        return await self._send("POST", _path("children", child_id, "reactivation"))

    async def erase_child(self, child_id: str) -> answers.CommandAnswer:
        """Destroy the key of the child's personal data, for good."""
        return await self._send("DELETE", _path("children", child_id, "personal-data"))

    # Queries

    async def get_child_profile(self, child_id: str) -> answers.ChildProfile:
        return cast(answers.ChildProfile, await self._ask(_path("children", child_id), child_id))

    async def export_child(self, child_id: str) -> dict[str, Any]:
        """All that is stored about the child: profile, safety, conversations, activity, alerts and
        every event. In memory; for a long history read `export_records`."""
        download = self._download(child_id)
        document = await whole(download.records())
        return FreshAnswer(document, download.headers)

    def export_records(self, child_id: str) -> AsyncIterator[dict[str, Any]]:
        """The same, record by record: `kind` is export (first), profile, safety, violation,
        conversation, activity, alert, event or end (last). Where the connection breaks it goes on,
        no record twice and none missing.

        Raises TeddyProblem when refused, Unreachable when it breaks again and again.
        """
        return self._download(child_id).records()

    async def get_children_by_parent(self, parent_id: str) -> answers.Family:
        return cast(answers.Family, await self._ask(_path("parents", parent_id, "children")))

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
        path = _path("children", child_id, "safety-report")
        params = {"from": since, "to": until, "limit": limit, "cursor": cursor}
        return cast(answers.SafetyReport, await self._ask(path, child_id, params))

    async def get_child_conversations(
        self, child_id: str, limit: int = 50, cursor: str | None = None
    ) -> answers.Conversations:
        """One page of at most `limit` (200), the newest first."""
        path = _path("children", child_id, "conversations")
        params = {"limit": limit, "cursor": cursor}
        return cast(answers.Conversations, await self._ask(path, child_id, params))

    async def get_child_analytics(
        self, child_id: str, period_days: int = 30
    ) -> answers.ChildAnalytics:
        path = _path("children", child_id, "analytics")
        params = {"period_days": period_days}
        return cast(answers.ChildAnalytics, await self._ask(path, child_id, params))

    async def get_erasure_receipt(self, child_id: str) -> answers.ErasureReceipt:
        """What was removed of an erased child, signed; TeddyProblem 404 for one that is not."""
        path = _path("children", child_id, "erasure-receipt")
        return cast(answers.ErasureReceipt, await self._ask(path))

    async def search_children(self, **conditions: Any) -> answers.FoundChildren:
        """One page. Conditions: name, age_min, age_max, parent_id, safety_status,
        engagement_level, status, limit, cursor."""
        return cast(answers.FoundChildren, await self._ask(_path("children"), params=conditions))

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

    async def get_system_analytics(self) -> dict[str, Any]:
        return await self._ask(_path("system", "analytics"))

    async def get_alerts(
        self, parent_id: str, limit: int = 20, cursor: str | None = None
    ) -> answers.Alerts:
        path = _path("parents", parent_id, "alerts")
        params = {"limit": limit, "cursor": cursor}
        return cast(answers.Alerts, await self._ask(path, params=params))

    async def live_updates(self, parent_id: str) -> AsyncIterator[answers.LiveUpdate]:
        """Alerts and changes of a parent's children as they happen; ends when the server does.

        Raises TeddyProblem when refused, Unreachable when the connection is lost.
        """
        async with self._query.stream(_path("parents", parent_id, "stream")) as response:
            event = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    yield answers.LiveUpdate(event=event, data=orjson.loads(value))

    # Operations

    async def get_health_status(self) -> answers.Health:
        """Never raises: an API that does not answer is reported as such."""
        command, query = await _health(self._command), await _health(self._query)
        ready = command["status"] == query["status"] == "ready"
        return answers.Health(
            status="ready" if ready else "not_ready", command=command, query=query
        )

    async def get_cache_statistics(self) -> dict[str, Any]:
        """Hits, misses, hit rate, size and what left the cache; role admin."""
        return await self._ask(_path("cache"))

    async def clear_all_caches(self) -> int:
        """How many cached answers were dropped; role admin."""
        response = await self._query.request("DELETE", _path("cache"))
        return int(response.json()["removed"])

    async def rebuild_read_models(self) -> None:
        """Raises NotYetAvailable: there is no command for it yet."""
        raise NotYetAvailable("read models cannot be rebuilt on request yet")

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> answers.CommandAnswer:
        key = idempotency_key or self._new_id()
        response = await self._command.request(method, path, body, headers={"Idempotency-Key": key})
        answer: answers.CommandAnswer = response.json()
        self._remember(answer, response.headers[TOKEN_HEADER])
        return answer

    async def _ask(
        self, path: str, child_id: str | None = None, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = self._read_own_writes(child_id)
        response = await self._query.request("GET", path, params=params, headers=headers)
        return FreshAnswer(response.json(), response.headers)

    def _download(self, child_id: str) -> Download:
        path = _path("children", child_id, "export")
        return Download(self._query, path, self._read_own_writes(child_id))

    def _read_own_writes(self, child_id: str | None) -> dict[str, str]:
        token = self._newest_token(child_id)
        return {} if token is None else {TOKEN_HEADER: token, "Prefer": f"wait={WAIT_SECONDS}"}

    def _remember(self, answer: answers.CommandAnswer, token: str) -> None:
        """Answers may come out of order, and a repeated key gets an old one: the newest stays."""
        child_id, version = answer["child_id"], answer["version"]
        known = self._tokens.pop(child_id, (0, token))
        self._tokens[child_id] = known if known[0] > version else (version, token)
        if len(self._tokens) > REMEMBERED_CHILDREN:
            self._tokens.popitem(last=False)

    def _newest_token(self, child_id: str | None) -> str | None:
        """Of the child that is asked about; of the one written last when it is about many."""
        if child_id is None:
            child_id = next(reversed(self._tokens), "")
        _, token = self._tokens.get(child_id, (0, None))
        return token


def _path(*segments: str) -> str:
    """Whatever an id contains, it stays one segment of the path."""
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


async def _health(api: Transport) -> dict[str, Any]:
    try:
        response = await api.request("GET", "/health/ready")
    except TeddyProblem as problem:
        return {"status": "not_ready", **problem.body}
    except Unreachable as error:
        return {"status": "unreachable", "detail": str(error)}
    report: dict[str, Any] = response.json()
    return report
