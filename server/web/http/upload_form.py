"""Forms with files whose names are encoded as in RFC 5987 (`filename*=`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

__all__ = ["UploadRoute"]


class UploadRoute(APIRoute):
    """A route that reads `filename*=` in multipart forms, which Starlette ignores."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler of requests to this route."""
        handle = super().get_route_handler()

        async def handle_upload(request: Request) -> Response:
            response: Response = await handle(_UploadRequest(request.scope, request.receive))
            return response

        return handle_upload


class _UploadRequest(Request):
    async def _get_form(self, **limits: Any) -> FormData:  # noqa: ANN401 - Starlette's limits
        is_multipart = self.headers.get("Content-Type", "").startswith("multipart/form-data")
        if self._form is None and is_multipart:
            try:
                async with aclosing(self.stream()) as stream:
                    self._form = await _UploadParser(self.headers, stream, **limits).parse()
            except MultiPartException as error:
                raise HTTPException(400, error.message) from error
        return await super()._get_form(**limits)


class _UploadParser(MultiPartParser):
    def on_headers_finished(self) -> None:
        part = self._current_part
        part.content_disposition = _with_plain_filename(part.content_disposition)
        super().on_headers_finished()


def _decoded(value: tuple[str, str, str]) -> str | None:
    """Return the text of an encoded parameter; None if its encoding is unknown or wrong."""
    encoding, _, text = value
    try:
        return text.encode("latin-1").decode(encoding)
    except (LookupError, UnicodeError):
        return None


def _with_plain_filename(disposition: bytes | None) -> bytes | None:
    """Append the name in `filename*=`, if there is one, as `filename=` in UTF-8."""
    if disposition is None or b"filename*" not in disposition.lower():
        return disposition
    header = Message()
    header["Content-Disposition"] = disposition.decode("latin-1")
    # A `filename` may come before it, for clients that do not know `filename*`.
    parameters: list[Any] = header.get_params([], "Content-Disposition")
    encoded = [value for key, value in parameters if key.lower() == "filename"]
    encoded = [value for value in encoded if isinstance(value, tuple) and value[0]]
    if not encoded:
        return disposition
    name = _decoded(encoded[0])
    if not name:
        if any(isinstance(value, str) for key, value in parameters if key.lower() == "filename"):
            return disposition
        name = collapse_rfc2231_value(encoded[0])
    quoted = name.encode("utf-8", "replace").replace(b"\\", b"/").replace(b'"', b"'")
    # Of two parameters of one name, the parser takes the last one.
    return disposition + b'; filename="' + quoted + b'"'
