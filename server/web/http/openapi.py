"""The interface's description of itself, errors included: `/openapi.json`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from server.concurrency.single_flight import SingleFlightCache

__all__ = ["PATH", "describe"]

PATH = "/openapi.json"

Described = dict[str, Any]

FIELD_ERROR = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
}
PROBLEM = {
    "title": "Problem",
    "description": "What is wrong, in the shape of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence."},
        "errors": {
            "type": "array",
            "description": "The fields that are wrong.",
            "items": FIELD_ERROR,
        },
    },
}
# What the framework says of errors, which have another shape here.
NOT_OURS = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> None:
    """Let the application describe itself at `PATH`, errors included."""
    # Of use to few, a hundred kilobytes, and some 0.2 s of work: made when the first asks, once,
    # and meanwhile everybody else is answered.
    made: SingleFlightCache[bytes] = SingleFlightCache(1)

    @app.get(PATH, include_in_schema=False)
    async def description() -> Response:
        content = await made.get(PATH, lambda: asyncio.to_thread(_description, app))
        return Response(content, media_type="application/json")


def _description(app: FastAPI) -> bytes:
    described = app.openapi()
    schemas = described["components"]["schemas"]
    for name in NOT_OURS:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    for methods in described["paths"].values():
        for method, operation in methods.items():
            _add_problems(method, operation)
    return json.dumps(described).encode()


def _add_problems(method: str, operation: Described) -> None:
    responses = operation.setdefault("responses", {})
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in _problems_of(method, operation):
        responses[str(int(status))] = {"description": status.phrase, "content": content}


def _problems_of(method: str, operation: Described) -> Iterator[HTTPStatus]:
    # A wrong Host; another site.
    yield HTTPStatus.FORBIDDEN
    yield HTTPStatus.TOO_MANY_REQUESTS
    parameters = operation.get("parameters", [])
    if parameters or "requestBody" in operation:
        # What is named is not there, or can't be.
        yield HTTPStatus.NOT_FOUND
        yield HTTPStatus.UNPROCESSABLE_ENTITY
    if method != "get":
        yield HTTPStatus.UNAUTHORIZED
        yield HTTPStatus.CONFLICT
        # Even where none is wanted, a body may come along.
        yield HTTPStatus.REQUEST_TIMEOUT
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if "requestBody" in operation:
        yield HTTPStatus.BAD_REQUEST
