"""The one shape that every error has: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from server.corpora.decoding import NotTextError
from server.corpora.library import (
    CorpusTooShortError,
    ShippedCorpusError,
    UnknownCorpusError,
)
from server.errors import (
    ConflictError,
    DamagedCheckpointError,
    TooBusyError,
    UnknownCheckpointError,
    UnknownMilestoneError,
    UnknownModelError,
    UnknownRunError,
    UnknownSavedPassageError,
)
from server.files.disk_errors import StorageError, UnreadableError, as_storage_error
from server.spec.run_spec import SpecError
from server.web.security.security_headers import HEADERS

__all__ = ["NOTHING_HERE", "Problem", "install", "problem", "problem_body"]

NOTHING_HERE = "There is nothing at this address."
# An answer is not as long as what it is about, which may repeat what the client sent.
MAX_DETAIL_CHARACTERS = 1_500
MAX_NAME_CHARACTERS = 60
MAX_FIELDS = 20

log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - an answer, not a fault
    """Answer with this status and this sentence."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that says what is wrong.

    Parameters
    ----------
    status : int
        HTTP status, 400 or above.
    detail : str
        One clear sentence.
    errors : sequence of {"field", "message"}, optional
        The fields that are wrong.
    """
    body = problem_body(status, detail)
    if errors is not None:
        body["errors"] = list(errors)
    # With the headers that all answers have, since some errors are answered outside of what adds
    # them to the others.
    said = HEADERS | dict(headers or {})
    return JSONResponse(body, status, headers=said, media_type="application/problem+json")


def problem_body(status: int, detail: str) -> dict[str, Any]:
    """Return what such an answer consists of."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _shortened(detail, MAX_DETAIL_CHARACTERS),
    }


def install(app: FastAPI) -> None:
    """Let the application answer every error in this shape."""
    statuses: dict[type[Exception], int] = {
        UnknownRunError: 404,
        UnknownCheckpointError: 404,
        UnknownMilestoneError: 404,
        UnknownCorpusError: 404,
        UnknownModelError: 404,
        UnknownSavedPassageError: 404,
        ConflictError: 409,
        DamagedCheckpointError: 409,
        StorageError: 507,
        UnreadableError: 503,
        ShippedCorpusError: 409,
        NotTextError: 415,
        CorpusTooShortError: 422,
    }
    for kind, status in statuses.items():
        app.add_exception_handler(kind, _with_status(status))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(TooBusyError, _too_busy)
    app.add_exception_handler(SpecError, _spec_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(OSError, _system_error)
    app.add_exception_handler(MemoryError, _short_of_memory)
    app.add_exception_handler(Exception, _fault)


def _with_status(status: int) -> Callable[[Request, Exception], Response]:
    def answer(_request: Request, error: Exception) -> Response:
        return problem(status, str(error))

    return answer


def _problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem(error.status, error.detail, headers=error.headers)


def _too_busy(_request: Request, error: Exception) -> Response:
    if not isinstance(error, TooBusyError):
        raise error
    return problem(429, str(error), headers={"Retry-After": str(error.retry_after_s)})


def _spec_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, SpecError):
        raise error
    return _fields({error.field: error.message})


def _http_exception(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = {
            404: NOTHING_HERE,
            405: "This address does not take that method.",
        }.get(error.status_code, detail)
    elif detail == "There was an error parsing the body":
        detail = "The request's body can't be read: it is not what its Content-Type says."
    sentence = detail if detail.endswith((".", "!", "?")) else f"{detail}."
    return problem(error.status_code, sentence, headers=error.headers)


def _validation_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields: dict[str, str] = {}
    for found in error.errors():
        where, *path = found["loc"]
        if found["type"] == "json_invalid":
            return problem(400, "The request's body is not valid JSON.")
        # The first complaint about a field is the one that helps; a union brings one a branch.
        field = str(path[0]) if path else str(where)
        fields.setdefault(field, _sentence(found))
    return _fields(fields)


def _sentence(found: Mapping[str, Any]) -> str:
    """Turn the validator's message about a field into what fits behind the field's name."""
    plain = {
        "missing": "is required",
        "extra_forbidden": "is not a field that can be set here",
        "bool_type": "must be true or false",
        "finite_number": "must be a finite number",
        "float_type": "must be a number",
        "int_from_float": "must be a whole number",
        "int_type": "must be a whole number",
        "int_parsing": "must be a whole number",
        "int_parsing_size": "is too large",
        "list_type": "must be a list",
        "model_attributes_type": "must be a JSON object",
        "model_type": "must be a JSON object",
        "string_type": "must be a string",
    }
    if found["type"] in plain:
        return plain[found["type"]]
    if "UploadFile" in found["msg"]:
        return "must be a file"
    message: str = found["msg"]
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("String should have", "must have").replace("List should", "must")
    return message.rstrip(".")


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."


def _fields(wrong: Mapping[str, str]) -> Response:
    fields = {
        _shortened(field, MAX_NAME_CHARACTERS): _shortened(message, MAX_DETAIL_CHARACTERS)
        for field, message in list(wrong.items())[:MAX_FIELDS]
    }
    detail = "; ".join(
        message if message.startswith("The ") else f"{field} {message}"
        for field, message in fields.items()
    )
    errors = [{"field": field, "message": message} for field, message in fields.items()]
    return problem(422, f"{detail}.", errors=errors)


def _system_error(connection: HTTPConnection, error: Exception) -> Response:
    """Answer that the disk takes nothing more, where it is that (RFC 4918, 11.5)."""
    if (short := as_storage_error(error)) is None:
        return _fault(connection, error)
    log.warning("%s: %s", _asked(connection), error)
    return problem(507, str(short))


def _short_of_memory(connection: HTTPConnection, error: Exception) -> Response:
    log.warning("%s: short of memory", _asked(connection), exc_info=error)
    return problem(503, "The server has not enough memory for this just now.")


def _fault(connection: HTTPConnection, error: Exception) -> Response:
    log.error("%s failed", _asked(connection), exc_info=error)
    return problem(500, "Something went wrong in the server; its log says what.")


def _asked(connection: HTTPConnection) -> str:
    return f"{connection.scope.get('method', 'WebSocket')} {connection.url.path}"
