"""From the body of a request to the bytes of one picture, within limits."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import urllib.request
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from detcore.serve.refusal import RefusalError

if TYPE_CHECKING:
    from fastapi import Request

    from detcore.serve.settings import ServeSettings

WAYS = (
    "send the picture as multipart/form-data (curl -F file=@photo.jpg), as a body of type image/* "
    "or application/octet-stream, or as JSON with its base64 under 'image'"
)
WEB = ("http://", "https://")


async def read_upload(request: Request, settings: ServeSettings) -> bytes:
    """The picture file that a request carries, still encoded.

    Raises:
        RefusalError: 400, 413 or 415: nothing that can be a picture, or too much of it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    readable = ("", "application/octet-stream", "application/json", "multipart/form-data")
    if kind not in readable and not kind.startswith("image/"):
        raise RefusalError(415, f"content type {kind!r} is not read here; {WAYS}")
    body = await read_body(request, settings.max_bytes)
    if kind == "multipart/form-data":
        body = await _from_form(request.headers, body)
    elif kind == "application/json":
        body = await _from_json(body, settings)
    if not body:
        raise RefusalError(400, f"the upload is empty; {WAYS}")
    return body


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        RefusalError: 413: it is longer than ``max_bytes``, by its header or in fact.
    """
    refusal = RefusalError(413, f"the upload has more than {max_bytes} bytes, the limit here")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > 2 * max_bytes:
        raise refusal
    body, total = bytearray(), 0
    async for chunk in request.stream():
        total += len(chunk)
        # What is a little too long is read to its end: a client that is still sending would
        # otherwise see a broken connection in place of the answer.
        if total > 2 * max_bytes:
            raise refusal
        if total <= max_bytes:
            body += chunk
    if total > max_bytes:
        raise refusal
    return bytes(body)


async def _from_form(headers: Headers, body: bytes) -> bytes:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(headers, once(), max_files=1, max_fields=16).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        cause = getattr(error, "message", "it has no boundary")
        raise RefusalError(400, f"the form cannot be read: {cause}; {WAYS}") from error
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if not files:
            raise RefusalError(400, f"the form holds no file; {WAYS}")
        return await files[0].read()
    finally:
        await form.close()


async def _from_json(body: bytes, settings: ServeSettings) -> bytes:
    try:
        record: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"the JSON cannot be read: {error}") from error
    known = {"image", "url"}
    if not isinstance(record, dict) or len(known & record.keys()) != 1 or record.keys() - known:
        raise RefusalError(400, "the JSON should be {'image': BASE64} or {'url': ADDRESS}")
    (value,) = record.values()
    if not isinstance(value, str):
        raise RefusalError(400, "'image' and 'url' are strings")
    if "image" in record:
        return _from_base64(value)
    if not settings.allow_urls:
        raise RefusalError(400, "this server fetches no addresses (detcore serve --allow-urls)")
    if not value.startswith(WEB):
        raise RefusalError(400, f"an address begins with {' or '.join(WEB)}")
    return await asyncio.to_thread(fetch, value, settings.max_bytes, settings.timeout)


def _from_base64(text: str) -> bytes:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusalError(400, f"'image' is not base64: {error}") from error


def fetch(address: str, max_bytes: int, timeout: float) -> bytes:
    """What an http(s) address holds.

    Raises:
        RefusalError: 413: it is longer than ``max_bytes``; 400: it cannot be had.
    """
    try:
        with urllib.request.urlopen(address, timeout=timeout) as response:
            content: bytes = response.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise RefusalError(400, f"{address} cannot be fetched: {error}") from error
    if len(content) > max_bytes:
        raise RefusalError(413, f"{address} has more than {max_bytes} bytes, the limit here")
    return content
