"""What analysts see: numbers day by day, and SQL with its errors and downloads."""

import asyncio
import html
import re
import socket
from pathlib import Path

import duckdb
import httpx2
import pytest

from query_service.pages.english import ENGLISH
from query_service.pages.german import GERMAN
from query_service.pages.measures import EXAMPLES
from query_service.pages.rendering import POLICY
from query_service.read_store.port import ReadStoreUnavailable
from query_service.sql.measures import MEASURES
from shared.auth.access import Principal, Role
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, parent
from tests.support.running_query_api import RunningServer
from tests.support.waiting import until

SQL = "/analytics/sql"
HOSTILE = "<script>alert(1)</script>"
ENDLESS = "SELECT sum(a.range * b.range) FROM range(100000) a, range(10000000) b"


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    statuses = ("good", "fair", None)
    side.sql_rows["children"] = [
        {"child": child, "safety_status": status} for child, status in enumerate(statuses)
    ]
    side.store.system["0"] = {
        "_id": "0",
        "counters": {"children_active": 1234, "open_violations": 2, "safety_good": 7},
    }
    return PagesSide(side)


async def shown(
    pages: PagesSide, path: str, reader: Principal = ANALYST, **headers: str
) -> httpx2.Response:
    async with pages.browser(**headers) as browser:
        await pages.sign_in(browser, reader)
        return await browser.get(path)


async def ran(
    pages: PagesSide, sql: str, kind: str = "table", reader: Principal = ANALYST
) -> httpx2.Response:
    async with pages.browser() as browser:
        await pages.sign_in(browser, reader)
        token = form_token_of((await browser.get(SQL)).text)
        form = {"form_token": token, "sql": sql, "format": kind}
        return await browser.post(SQL, data=form)


def cells(page: str) -> list[str]:
    found = re.findall(r"<td class=\"\w+\">(.*?)</td>", page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in found]


def in_textarea(page: str) -> str:
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def place_of(page: str) -> tuple[str, str]:
    """Of an error: the line, and the marker below it."""
    found = re.search(r'<pre id="place">(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    line, marker = html.unescape(re.sub("<[^>]+>", "", found[1])).split("\n")
    return line, marker


async def test_an_analyst_begins_with_the_numbers(pages: PagesSide):
    async with pages.browser() as browser:
        answer = await pages.sign_in(browser, ANALYST)
        page = await browser.get(answer.headers["Location"])
    assert answer.headers["Location"] == "/analytics"
    assert "<strong>1,234</strong> Active children" in page.text
    assert '<strong class="warn">2</strong> Open incidents' in page.text
    for measure in MEASURES:
        assert f'id="plot-{measure.name}"' in page.text
    assert "As of" in page.text


@pytest.mark.parametrize("reader", [OFFICER, parent("weiss"), Principal("bear", Role.DEVICE)])
@pytest.mark.parametrize("path", ["/analytics", SQL])
async def test_other_roles_are_told_that_it_is_not_for_them(
    pages: PagesSide, path: str, reader: Principal
):
    page = await shown(pages, path, reader)
    assert page.status_code == 403
    assert "another role" in page.text
    assert [record for record in pages.side.audit.entries if record.outcome == "answered"] == []


async def test_an_operator_sees_the_numbers_and_runs_sql(pages: PagesSide):
    assert (await shown(pages, "/analytics", ADMIN)).status_code == 200
    assert cells((await ran(pages, "SELECT 41 + 1 AS n", reader=ADMIN)).text) == ["42"]


async def test_who_is_not_signed_in_is_led_to_signing_in(pages: PagesSide):
    async with pages.browser() as browser:
        for answer in (await browser.get("/analytics"), await browser.post(SQL, data={})):
            assert answer.headers["Location"] == "/sign-in"


@pytest.mark.parametrize("days", ["30", "90", "366"])
async def test_a_period_is_chosen(pages: PagesSide, days: str):
    page = await shown(pages, f"/analytics?days={days}")
    assert f'<option value="{days}" selected>' in page.text
    assert page.text.count('<rect class="day"') == int(days) * len(MEASURES)


@pytest.mark.parametrize("days", ["31", "0", "-30", "x", "", "٣٠"])
async def test_another_period_is_no_page(pages: PagesSide, days: str):
    assert (await shown(pages, f"/analytics?days={days}")).status_code == 400


async def test_what_is_shown_is_on_record_as_the_apis_own_answer(pages: PagesSide):
    await shown(pages, "/analytics")
    recorded = {record.operation: record for record in pages.side.audit.entries}
    assert recorded.keys() == {"GetSystemAnalytics", "GetSystemSeries"}
    assert {record.subject for record in recorded.values()} == {ANALYST.subject}


async def test_the_days_stand_without_numbers_that_cannot_be_counted(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    async def late() -> dict[str, int]:
        raise ReadStoreUnavailable("late")

    monkeypatch.setattr(pages.side.store, "system_counters", late)
    page = await shown(pages, "/analytics")
    assert page.status_code == 200
    assert 'id="no-numbers"' in page.text
    assert page.text.count('id="plot-') >= len(MEASURES)


async def test_without_a_record_nothing_is_shown(pages: PagesSide):
    pages.side.audit.away = True
    for page in (await shown(pages, "/analytics"), await shown(pages, SQL)):
        assert page.status_code == 503


@pytest.mark.parametrize("path", ["/analytics", SQL, f"{SQL}?example=minutes"])
async def test_nothing_from_outside_and_nothing_inline_is_allowed(pages: PagesSide, path: str):
    page = await shown(pages, path)
    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.headers["Cache-Control"] == "no-store"
    for inline in ("style=", "onclick", "<style", "javascript:", "<script", "//"):
        assert inline not in page.text


def being_made(side: QuerySide) -> None:
    async def make(_file: Path) -> str | None:
        await asyncio.Event().wait()
        return None

    snapshots = side.service.edge.statements.runner._snapshots
    snapshots.make, snapshots.wait = make, 0.01


async def test_while_the_data_are_prepared_the_page_says_so_and_asks_again(pages: PagesSide):
    being_made(pages.side)
    page = await shown(pages, "/analytics?days=90")
    assert page.status_code == 200
    assert page.headers["Refresh"] == "10"
    assert "being prepared" in page.text
    assert "1,234" in page.text
    assert '<svg class="plot"' not in page.text
    assert "Refresh" not in (await shown(pages, SQL)).headers


async def test_a_statement_while_the_data_are_prepared_is_kept(pages: PagesSide):
    being_made(pages.side)
    page = await ran(pages, "SELECT 1 AS one")
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "10"
    assert "being prepared" in page.text
    assert in_textarea(page.text) == "SELECT 1 AS one"


async def test_a_statement_that_is_running_is_the_only_one_of_its_caller(pages: PagesSide):
    statements = pages.side.service.edge.statements
    with statements.slot_for(ANALYST):
        page, numbers = await ran(pages, "SELECT 1"), await shown(pages, "/analytics")
    assert page.status_code == 429
    assert "still running" in page.text
    # the plots are no statement of theirs
    assert "still running" not in numbers.text
    assert '<svg class="plot"' in numbers.text


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
async def test_each_plot_opens_as_sql_without_being_run(pages: PagesSide, measure):
    page = await shown(pages, "/analytics?days=90")
    path = f"{SQL}?example={measure.name}&amp;days=90"
    assert f'href="{path}"' in page.text
    pages.side.audit.entries.clear()
    opened = await shown(pages, html.unescape(path))
    assert in_textarea(opened.text) == measure.statement(90)
    assert {record.operation for record in pages.side.audit.entries} == {"GetSqlTables"}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_each_example_opens(pages: PagesSide, name: str):
    assert in_textarea((await shown(pages, f"{SQL}?example={name}")).text) == EXAMPLES[name]


async def test_an_example_that_there_is_not_is_an_empty_form(pages: PagesSide):
    page = await shown(pages, f"{SQL}?example={HOSTILE}")
    assert page.status_code == 200
    assert in_textarea(page.text) == ""
    assert HOSTILE not in page.text


async def test_tables_and_limits_are_what_the_api_says(pages: PagesSide):
    page = (await shown(pages, SQL)).text
    api = (await pages.side.get("/v1/sql/tables", ANALYST)).json()
    for table in api["tables"]:
        assert f'id="table-{table["name"]}"' in page
        for column in table["columns"]:
            assert html.escape(column["name"]) in page
    assert f'maxlength="{api["most"]["characters"]}"' in page
    assert "20,000 characters, 10 s, 256 MiB" in page


async def test_a_result_is_a_table(pages: PagesSide):
    sql = "SELECT safety_status, child AS n FROM children ORDER BY child"
    page = (await ran(pages, sql)).text
    assert cells(page) == ["good", "0", "fair", "1", "NULL", "2"]
    assert '<th scope="col" class="number">n <span class="type">BIGINT</span></th>' in page
    assert '<span class="null">NULL</span>' in page
    assert "Rows: 3. As of" in page
    assert in_textarea(page) == sql


async def test_whatever_a_statement_brings_is_shown_as_text(pages: PagesSide):
    sql = f"SELECT '{HOSTILE}' AS \"{HOSTILE}\", ['</td>', NULL] AS l, true AS t, 1.50 AS d"
    page = (await ran(pages, sql)).text
    assert HOSTILE not in page
    assert cells(page) == [HOSTILE, '["</td>",null]', "true", "1.50"]
    assert in_textarea(page) == sql
    refused = (await ran(pages, f"SELECT '</textarea>', {HOSTILE}")).text
    assert HOSTILE not in refused
    assert in_textarea(refused) == f"SELECT '</textarea>', {HOSTILE}"


async def test_a_large_result_is_shown_in_part_and_said_to_be_one(pages: PagesSide):
    page = (await ran(pages, "SELECT range AS n, repeat('x', 5000) AS x FROM range(1000)")).text
    assert len(cells(page)) == 2 * 200
    assert "up to 10,000" in page
    assert "x" * 301 not in page
    columns = ", ".join(f"{each} AS c{each}" for each in range(80))
    wide = (await ran(pages, f"SELECT {columns}")).text
    assert len(cells(wide)) == 50
    assert "first 50 of 80 columns" in wide


async def test_a_result_without_rows_says_so(pages: PagesSide):
    assert "No row." in (await ran(pages, "SELECT 1 AS n WHERE false")).text


async def test_an_error_is_shown_at_its_place(pages: PagesSide):
    page = await ran(pages, "SELECT child,\r\n\tnope FROM children")
    assert page.status_code == 422
    line, marker = place_of(page.text)
    assert line == "   2 |  nope FROM children"
    assert marker.index("^") == line.index("nope")
    assert "Referenced column" in page.text
    assert 'aria-invalid="true"' in page.text
    assert in_textarea(page.text) == "SELECT child,\n\tnope FROM children"


async def test_a_long_line_is_shown_around_the_error(pages: PagesSide):
    page = await ran(pages, f"SELECT '{'a' * 500}', nope, '{'b' * 500}'")
    line, marker = place_of(page.text)
    assert len(line) < 150
    assert marker.index("^") == line.index("nope")


@pytest.mark.parametrize(
    ("sql", "status", "said"),
    [
        ("DROP TABLE children", 422, "cannot be run as it is"),
        ("SELECT 1; SELECT 2", 422, "cannot be run as it is"),
        ("SELECT * FROM read_csv('/etc/passwd')", 422, "cannot be run as it is"),
        ("SELECT repeat('x', 4000000000)", 422, "too much memory"),
        ("SELECT repeat('x', 9000000)", 422, "too large"),
        ("", 422, "cannot be answered"),
        ("SELECT '" + "x" * 20_001 + "'", 422, "cannot be answered"),
        ("SELECT '" + "ü" * 40_000 + "'", 413, "cannot be answered"),
        ("SELECT '" + "ü" * 100_000 + "'", 413, "too much"),
    ],
)
async def test_a_hostile_statement_ends_with_the_apis_error(
    pages: PagesSide, sql: str, status: int, said: str
):
    page = await ran(pages, sql)
    assert page.status_code == status
    assert page.headers["Content-Type"].startswith("text/html")
    assert "root:" not in page.text
    if said != "too much":
        assert said in page.text
        assert in_textarea(page.text) == sql
    assert cells((await ran(pages, "SELECT 1 AS one")).text) == ["1"]


async def test_the_longest_statement_fits_however_it_is_encoded(pages: PagesSide):
    sql = "SELECT '" + "\n" * 19_980 + "' AS n"
    assert (await ran(pages, sql.replace("\n", "\r\n"))).status_code == 200
    assert (await ran(pages, "SELECT '" + "€" * 19_980 + "' AS n")).status_code == 200


async def test_a_statement_without_the_form_token_is_not_run(pages: PagesSide):
    async with pages.browser() as browser:
        await pages.sign_in(browser, ANALYST)
        token = form_token_of((await browser.get(SQL)).text)
        pages.side.audit.entries.clear()
        form = {"sql": "SELECT 1", "format": "table"}
        without = await browser.post(SQL, data=form)
        foreign = await browser.post(
            SQL, data=form | {"form_token": token}, headers={"Sec-Fetch-Site": "cross-site"}
        )
    assert (without.status_code, foreign.status_code) == (403, 403)
    assert pages.side.audit.entries == []


async def test_a_format_that_there_is_not_is_refused(pages: PagesSide):
    assert (await ran(pages, "SELECT 1", "xlsx")).status_code == 400


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
async def test_a_download_is_a_file_of_its_format(
    pages: PagesSide, tmp_path: Path, kind: str, media_type: str
):
    answer = await ran(pages, "SELECT range AS n FROM range(3000)", kind)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="answer.{kind}"'
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Truncated" if kind != "json" else "X-As-Of"]
    file = tmp_path / f"answer.{kind}"
    file.write_bytes(answer.content)
    if kind == "json":
        assert len(answer.json()["rows"]) == 3000
    else:
        read = duckdb.read_csv if kind == "csv" else duckdb.read_parquet
        assert read(str(file)).sum("n").fetchall() == [(4_498_500,)]


async def test_a_download_that_is_refused_is_a_page(pages: PagesSide):
    page = await ran(pages, "SELECT nope", "csv")
    assert page.status_code == 422
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in page.headers
    assert '<pre id="place">' in page.text


@pytest.mark.parametrize("kind", ["table", "csv"])
async def test_a_browser_that_leaves_ends_its_statement(pages: PagesSide, kind: str):
    server = RunningServer(pages.side)
    runner = pages.side.service.edge.statements.runner
    async with httpx2.AsyncClient(base_url=await server.url()) as browser:
        await pages.sign_in(browser, ANALYST)
        token = form_token_of((await browser.get(SQL)).text)
        form = {"form_token": token, "sql": ENDLESS, "format": kind}
        asked = asyncio.create_task(browser.post(SQL, data=form))
        await until(lambda: runner._running == 1)
        asked.cancel()
        await asyncio.wait([asked])
        await until(lambda: runner._running == 0, 8)
    await server.stop()


async def test_a_browser_that_takes_nothing_of_a_download_is_disconnected(pages: PagesSide):
    # given
    statements = pages.side.service.edge.statements
    statements.reader_seconds = 0.2
    server = RunningServer(pages.side)
    url = httpx2.URL(await server.url())
    async with httpx2.AsyncClient(base_url=url) as browser:
        await pages.sign_in(browser, ANALYST)
        token = form_token_of((await browser.get(SQL)).text)
        sql = "SELECT repeat('x', 7000) AS x FROM range(1000)"
        form = {"form_token": token, "sql": sql, "format": "csv"}
        request = browser.build_request("POST", SQL, data=form)
    # when
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, (url.host, url.port))
        head = [f"{name}: {value}" for name, value in request.headers.items()]
        lines = "\r\n".join([f"POST {SQL} HTTP/1.1", *head, "", ""])
        await loop.sock_sendall(slow, lines.encode() + request.read())
        await until(lambda: statements._shares.callers == 1)
        # then
        await until(lambda: statements._shares.callers == 0)
        taken = 0
        while some := await loop.sock_recv(slow, 2**20):
            taken += len(some)
        assert taken < 7_000_000
    await server.stop()


async def test_pages_are_in_the_readers_language(pages: PagesSide):
    page = await shown(pages, "/analytics", ANALYST, **{"Accept-Language": "de"})
    assert "<strong>1.234</strong> Aktive Kinder" in page.text
    assert "Tag für Tag" in page.text


@pytest.mark.parametrize(
    ("value", "number", "short"),
    [
        (0, "0", "0"),
        (0.25, "0.25", "0.25"),
        (1_000, "1,000", "1,000"),
        (10_000, "10,000", "10 k"),
        (2_500_000, "2,500,000", "2,500 k"),
        (20_000_000, "20,000,000", "20 M"),
        (1234.5, "1,234.5", "1,234.5"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, number: str, short: str):
    english, german = ENGLISH.analytics_desk, GERMAN.analytics_desk
    assert (english.number(value), english.short(value)) == (number, short)
    assert german.number(value) == number.translate({ord(","): ".", ord("."): ","})


def test_a_translation_says_the_same_things():
    for name in ENGLISH.analytics_desk.__slots__:
        english = getattr(ENGLISH.analytics_desk, name)
        german = getattr(GERMAN.analytics_desk, name)
        if isinstance(english, str):
            assert english.count("{}") == german.count("{}"), name
        else:
            assert english.keys() == german.keys(), name


def test_everything_that_is_drawn_has_a_name():
    texts = ENGLISH.analytics_desk
    assert texts.plots.keys() == {measure.name for measure in MEASURES}
    assert texts.series.keys() == {name for measure in MEASURES for name in measure.columns}
    assert texts.examples.keys() == EXAMPLES.keys()
