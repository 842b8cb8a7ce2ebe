"""What the client asks of the whole system, and of processes."""

from typing import Any

from shared.client import answers
from shared.client.calls import path_of
from shared.client.freshness import FreshAnswer
from shared.client.operations import Operations
from shared.client.transport import TeddyProblem, Transport, Unreachable


class SystemQueries(Operations):
    """For operators and analysts, in addition to what one may have done."""

    async def get_system_analytics(self) -> dict[str, Any]:
        return await self.ask(path_of("system", "analytics"))

    async def get_system_series(
        self, first: str | None = None, last: str | None = None
    ) -> dict[str, Any]:
        """`days` of the whole system, as of `as_of`; roles analyst and admin. UTC days as
        2026-11-01, both included, at most 366; without them the last 30."""
        return await self.ask(path_of("system", "series"), params={"from": first, "to": last})

    async def get_system_status(self) -> dict[str, Any]:
        """Whether the read models are up to date, and what stands in the way; role admin."""
        return await self._ask_apart(path_of("system", "status"))

    async def get_system_processes(self) -> dict[str, Any]:
        """What each process does and how far it is behind, by partition as well; role admin."""
        return await self._ask_apart(path_of("system", "processes"))

    async def get_system_protection(self) -> dict[str, Any]:
        """Erasures that are not complete, keys, and whether the audit trail is signed; role admin.
        A part that could not be read is None."""
        return await self._ask_apart(path_of("system", "protection"))

    async def sql(self, statement: str, max_rows: int | None = None) -> answers.SqlRows:
        """What one SELECT in DuckDB's dialect finds in columns without personal data; roles analyst
        and admin. At most `max_rows` (10,000) rows.

        Raises TeddyProblem; the body of `sql-refused` has `line` and `column`, where known.
        """
        body: dict[str, Any] = {"sql": statement}
        if max_rows is not None:
            body["max_rows"] = max_rows
        response = await self._query.request("POST", path_of("sql"), body)
        rows: answers.SqlRows = response.json()
        return rows

    async def get_health_status(self) -> answers.Health:
        """Never raises: an API that does not answer is reported as such."""
        command, query = await _health(self._command), await _health(self._query)
        ready = command["status"] == query["status"] == "ready"
        return answers.Health(
            status="ready" if ready else "not_ready", command=command, query=query
        )

    async def get_cache_statistics(self) -> dict[str, Any]:
        """Hits, misses, hit rate, size and what left the cache; role admin."""
        return await self._ask_apart(path_of("cache"))

    async def get_recent_requests(self) -> dict[str, Any]:
        """How many requests the query process that answers had in the last five minutes, how fast
        they were, and what it refused; role admin."""
        return await self._ask_apart(path_of("system", "requests"))

    async def get_recent_commands(self) -> dict[str, Any]:
        """The same of the command process that answers."""
        response = await self._command.request("GET", path_of("system", "requests"))
        figures: dict[str, Any] = response.json()
        return figures

    async def clear_cache(self) -> int:
        """How many cached answers the one process that answers has dropped; role admin."""
        response = await self._query.request("DELETE", path_of("cache"))
        return int(response.json()["removed"])

    async def _ask_apart(self, path: str) -> dict[str, Any]:
        """Without a consistency token: it is of no child's read models, and is asked for when those
        are late."""
        response = await self._query.request("GET", path)
        return FreshAnswer(response.json(), response.headers)


async def _health(api: Transport) -> dict[str, Any]:
    try:
        response = await api.request("GET", "/health/ready")
    except TeddyProblem as problem:
        return {"status": "not_ready", **problem.body}
    except Unreachable as error:
        return {"status": "unreachable", "detail": str(error)}
    report: dict[str, Any] = response.json()
    return report
