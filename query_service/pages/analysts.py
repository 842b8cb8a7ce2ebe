"""What analysts see: the numbers of the whole system, day by day, and SQL."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from query_service.pages.downloads import Download
from query_service.pages.inner_api import JSON, ApiAnswer, asked, posted
from query_service.pages.measures import EXAMPLES, PERIODS, example
from query_service.pages.rendering import HEADERS
from query_service.pages.sessions import Session
from query_service.pages.site import (
    ANALYSTS,
    HOMES,
    Form,
    FormRoute,
    PageRoute,
    Site,
    later,
    notices,
)
from query_service.pages.sql_answers import SHOWN_ROWS, place_in, plotted, shown
from shared.auth.access import Role
from shared.clock import utc_now

HOME = HOMES[Role.ANALYST]
SQL = f"{HOME}/sql"
MOST_STATEMENT_BYTES = 256 * 1_024
"""Of a form: whatever the API takes fits, each byte of it written as three."""

TABLE = "table"
DOWNLOADS = {
    "csv": "text/csv",
    "json": JSON,
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Analysts:
    site: Site

    def routes(self) -> list[PageRoute | FormRoute]:
        return [
            PageRoute(HOME, ANALYSTS, self.numbers),
            PageRoute(SQL, ANALYSTS, self.statement),
            FormRoute(SQL, ANALYSTS, self.run, MOST_STATEMENT_BYTES),
        ]

    async def numbers(self, request: Request, session: Session) -> Response:
        """All of the system's numbers, and those of each day of a period. Where either cannot be
        had, the page says so, and asks for the days again by itself."""
        days = _period(request)
        today = utc_now().date()
        period = {"from": str(today - timedelta(days=days - 1)), "to": str(today)}
        numbers, series = await self.site.ask(
            request, session, asked("system", "analytics"), asked("system", "series", **period)
        )
        refused = self.site.refused(request, numbers)
        if refused is not None and series.is_refusal:
            return refused
        page = await self._page(
            request,
            "analytics.html",
            signed_in=session,
            numbers=None if numbers.is_refusal else numbers.content,
            days=days,
            periods=PERIODS,
            problem=series.code if series.is_refusal else None,
            series=None if series.is_refusal else plotted(series.content),
            **notices(request, numbers),
        )
        if again := later(series):
            page.headers["Refresh"] = again["Retry-After"]
        return page

    async def statement(self, request: Request, session: Session) -> Response:
        """The form of a statement, empty or with an example in it; nothing is run."""
        sql = example(request.query_params.get("example", ""), _period(request))
        return await self._desk(request, session, sql)

    async def run(self, request: Request, session: Session, form: Form) -> Response:
        """A statement and its answer, on the page or as a file."""
        sql, kind = form.get("sql", ""), form.get("format")
        if kind in DOWNLOADS:
            return Download(partial(self._pass_on, request, session, sql, kind))
        if kind != TABLE:
            raise HTTPException(400)
        wanted = posted("sql", sql=sql, max_rows=SHOWN_ROWS)
        (answer,) = await self.site.ask(request, session, wanted)
        return await self._desk(request, session, sql, answer)

    async def _pass_on(
        self, request: Request, session: Session, sql: str, kind: str, send: Send
    ) -> Response | None:
        """The answer as a file; the page where it is a refusal."""
        wanted = posted("sql", accept=DOWNLOADS[kind], sql=sql)
        headers = HEADERS | {"Content-Disposition": f'attachment; filename="answer.{kind}"'}
        refused = await self.site.api.pass_on(request, session.token, wanted, send, headers)
        return None if refused is None else await self._desk(request, session, sql, refused)

    async def _desk(
        self, request: Request, session: Session, sql: str, answer: ApiAnswer | None = None
    ) -> Response:
        """The statement, below it what the API answered, and its status."""
        (described,) = await self.site.ask(request, session, asked("sql", "tables"))
        refused = self.site.refused(request, described)
        if refused is not None:
            return refused
        problem = answer.content if answer is not None and answer.is_refusal else None
        page = await self._page(
            request,
            "sql.html",
            answer.status if answer is not None else 200,
            signed_in=session,
            sql=sql,
            described=described.content,
            examples=list(EXAMPLES),
            downloads=list(DOWNLOADS),
            problem=problem,
            place=place_in(sql, problem) if problem is not None else None,
            answer=shown(answer.content) if answer is not None and problem is None else None,
        )
        page.headers.update(later(answer) if answer is not None else {})
        return page

    async def _page(self, *what: Any, **values: Any) -> Response:
        """In a thread: a year of days, or a large table, would keep everybody else waiting."""
        return await asyncio.to_thread(self.site.renderer.page, *what, **values)


def _period(request: Request) -> int:
    """Raises HTTPException for another number of days than the page offers."""
    asked_for = request.query_params.get("days", str(PERIODS[0]))
    if asked_for not in map(str, PERIODS):
        raise HTTPException(400)
    return int(asked_for)
