"""The body of a form, as a browser sends it."""

import asyncio
import re
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from query_service.pages.site import MOST_FORM_BYTES, Form

MOST_FIELDS = 16
READ_SECONDS = 10.0
FORM = re.compile(r"application/x-www-form-urlencoded(\s*;.*)?", re.IGNORECASE)


async def read_form(request: Request, most_bytes: int = MOST_FORM_BYTES) -> Form:
    """An urlencoded form, each field once. Browsers send a line's end as two characters, and count
    one; so does what is returned. Raises HTTPException."""
    if not FORM.fullmatch(request.headers.get("content-type", "")):
        raise HTTPException(415)
    try:
        async with asyncio.timeout(READ_SECONDS):
            body = await _body(request, most_bytes)
    except TimeoutError:
        raise HTTPException(408) from None
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    if len(dict(fields)) < len(fields):
        raise HTTPException(400)
    return {name: value.replace("\r\n", "\n") for name, value in fields}


async def _body(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise HTTPException(413)
    return bytes(body)
