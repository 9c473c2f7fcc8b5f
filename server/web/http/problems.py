"""Error responses in one shape: `application/problem+json` (RFC 9457)."""

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

from server.analysis.own_losses import OwnLossesError
from server.checkpoints.array_files import ArrayFileError
from server.checkpoints.given_parameters import ParametersError
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
    UnknownGameError,
    UnknownGroupError,
    UnknownLectureError,
    UnknownMilestoneError,
    UnknownModelError,
    UnknownOwnLossesError,
    UnknownRunError,
    UnknownSavedPassageError,
    UnknownSweepError,
)
from server.files.disk_errors import StorageError, UnreadableError, as_storage_error
from server.spec.field_messages import field_message
from server.spec.run_spec import SpecError
from server.transfer.archive_format import ArchiveError
from server.web.security.security_headers import SECURITY_HEADERS

__all__ = ["NOT_FOUND_DETAIL", "Problem", "add_error_handlers", "problem", "problem_body_of"]

NOT_FOUND_DETAIL = "There is nothing at this address."
# Error messages may repeat what the client sent; a response must not grow with it.
MAX_DETAIL_CHARACTERS = 1_500
MAX_NAME_CHARACTERS = 60
MAX_FIELDS = 20

UNEXPECTED_DETAIL = "The server failed; its log has the details."

STATUSES: dict[type[Exception], int] = {
    UnknownRunError: 404,
    UnknownCheckpointError: 404,
    UnknownGameError: 404,
    UnknownGroupError: 404,
    UnknownMilestoneError: 404,
    UnknownCorpusError: 404,
    UnknownModelError: 404,
    UnknownOwnLossesError: 404,
    UnknownSavedPassageError: 404,
    UnknownSweepError: 404,
    UnknownLectureError: 404,
    ConflictError: 409,
    DamagedCheckpointError: 409,
    StorageError: 507,
    UnreadableError: 503,
    ShippedCorpusError: 409,
    NotTextError: 415,
    CorpusTooShortError: 422,
    ArchiveError: 422,
    ArrayFileError: 422,
    OwnLossesError: 422,
    ParametersError: 422,
}
"""The status of the response to each of these errors, whose messages are its detail."""

log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """Answers the request with a status and a sentence."""

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
    """Return an error response.

    Parameters
    ----------
    status : int
        HTTP status, 400 or above.
    detail : str
        One sentence.
    errors : sequence of {"field", "message"}, optional
        The invalid fields.
    headers : mapping, optional
        Further headers of the response.
    """
    body = problem_body(status, detail)
    if errors is not None:
        body["errors"] = list(errors)
    # Some errors are sent without passing the middleware that adds the security headers.
    headers = SECURITY_HEADERS | dict(headers or {})
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def problem_body(status: int, detail: str) -> dict[str, Any]:
    """Return the content of an error response."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _shown(detail, MAX_DETAIL_CHARACTERS),
    }


def problem_body_of(error: Exception) -> dict[str, Any]:
    """Return the content of the response to an error, to end a response that has begun."""
    if isinstance(error, OSError):
        error = as_storage_error(error) or error
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return problem_body(status, str(error))
    log.error("a response that had begun failed", exc_info=error)
    return problem_body(500, UNEXPECTED_DETAIL)


def add_error_handlers(app: FastAPI) -> None:
    """Add a handler for each kind of error to the application."""
    for error, status in STATUSES.items():
        app.add_exception_handler(error, _with_status(status))
    app.add_exception_handler(Problem, _handle_problem)
    app.add_exception_handler(TooBusyError, _handle_too_busy)
    app.add_exception_handler(SpecError, _handle_spec_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(OSError, _handle_os_error)
    app.add_exception_handler(MemoryError, _handle_memory_error)
    app.add_exception_handler(Exception, _handle_unexpected_error)


def _with_status(status: int) -> Callable[[Request, Exception], Response]:
    def handle(_request: Request, error: Exception) -> Response:
        return problem(status, str(error))

    return handle


def _handle_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem(error.status, error.detail, headers=error.headers)


def _handle_too_busy(_request: Request, error: Exception) -> Response:
    if not isinstance(error, TooBusyError):
        raise error
    return problem(429, str(error), headers={"Retry-After": str(error.retry_after_s)})


def _handle_spec_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, SpecError):
        raise error
    return _field_errors({error.field: error.message})


def _handle_http_exception(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if (reason := as_storage_error(error.__cause__)) is not None:
        # An upload that cannot be written; FastAPI would call it a body that cannot be read.
        return problem(507, str(reason))
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = {
            404: NOT_FOUND_DETAIL,
            405: "The method is not allowed at this address.",
        }.get(error.status_code, detail)
    elif detail == "There was an error parsing the body":
        detail = "The request's body does not match its Content-Type."
    sentence = detail if detail.endswith((".", "!", "?")) else f"{detail}."
    return problem(error.status_code, sentence, headers=error.headers)


def _handle_validation_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields: dict[str, str] = {}
    for detail in error.errors():
        where, *path = detail["loc"]
        if detail["type"] == "json_invalid":
            return problem(400, "The request's body is not valid JSON.")
        # A union reports an error for each of its members; the first is the most helpful.
        field = str(path[0]) if path else str(where)
        if field == "parameters":
            field = _parameter_field(path)
        elif field == "spec":
            field = ".".join(str(part) for part in path[:2])
        fields.setdefault(field, _field_message(detail))
    return _field_errors(fields)


def _parameter_field(path: Sequence[object]) -> str:
    """Return the name of a field of a sweep's parameter, such as "parameters.hidden_size.low"."""
    _, *inner = path
    # The second part is the name of the model.
    return ".".join(("parameters", *(str(part) for part in (inner[:1] + inner[2:3]))))


def _field_message(detail: Mapping[str, Any]) -> str:
    return "must be a file" if "UploadFile" in detail["msg"] else field_message(detail)


def _shown(text: str, limit: int) -> str:
    """Return a text that can be sent: not too long, and with half surrogate pairs as escapes."""
    text = text if len(text) <= limit else f"{text[:limit]} ..."
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _field_errors(messages: Mapping[str, str]) -> Response:
    fields = {
        _shown(field, MAX_NAME_CHARACTERS): _shown(message, MAX_DETAIL_CHARACTERS)
        for field, message in list(messages.items())[:MAX_FIELDS]
    }
    detail = "; ".join(
        message if message.startswith("The ") else f"{field} {message}"
        for field, message in fields.items()
    )
    errors = [{"field": field, "message": message} for field, message in fields.items()]
    return problem(422, f"{detail}.", errors=errors)


def _handle_os_error(connection: HTTPConnection, error: Exception) -> Response:
    """Answer a full or read-only disk with 507 (RFC 4918, 11.5)."""
    if (storage_error := as_storage_error(error)) is None:
        return _handle_unexpected_error(connection, error)
    log.warning("%s: %s", _request_line(connection), error)
    return problem(507, str(storage_error))


def _handle_memory_error(connection: HTTPConnection, error: Exception) -> Response:
    log.warning("%s: out of memory", _request_line(connection), exc_info=error)
    return problem(503, "The server does not have enough memory for this request now.")


def _handle_unexpected_error(connection: HTTPConnection, error: Exception) -> Response:
    log.error("%s failed", _request_line(connection), exc_info=error)
    return problem(500, UNEXPECTED_DETAIL)


def _request_line(connection: HTTPConnection) -> str:
    return f"{connection.scope.get('method', 'WebSocket')} {connection.url.path}"
