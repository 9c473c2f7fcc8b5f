"""The OpenAPI description of the HTTP interface, errors included: `/openapi.json`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from server.concurrency.single_flight import SingleFlightCache

__all__ = ["PATH", "add_openapi_route"]

PATH = "/openapi.json"

JsonObject = dict[str, Any]

FIELD_ERROR = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
}
PROBLEM = {
    "title": "Problem",
    "description": "An error, in the shape of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence."},
        "errors": {
            "type": "array",
            "description": "The invalid fields.",
            "items": FIELD_ERROR,
        },
    },
}
# FastAPI's schemas for errors, which have another shape here.
FASTAPI_ERROR_SCHEMAS = ("HTTPValidationError", "ValidationError")


def add_openapi_route(app: FastAPI) -> None:
    """Serve the description of the application at `PATH`."""
    # Computed at the first request, once and in a thread: it takes about 0.2 s and 100 KB, and few
    # clients request it.
    cache: SingleFlightCache[bytes] = SingleFlightCache(1)

    @app.get(PATH, include_in_schema=False)
    async def read_openapi() -> Response:
        content = await cache.get(PATH, lambda: asyncio.to_thread(_openapi_json, app))
        return Response(content, media_type="application/json")


def _openapi_json(app: FastAPI) -> bytes:
    description = app.openapi()
    schemas = description["components"]["schemas"]
    for name in FASTAPI_ERROR_SCHEMAS:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    for operations in description["paths"].values():
        for method, operation in operations.items():
            _add_problems(method, operation)
    return json.dumps(description).encode()


def _add_problems(method: str, operation: JsonObject) -> None:
    responses = operation.setdefault("responses", {})
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in _error_statuses(method, operation):
        responses[str(int(status))] = {"description": status.phrase, "content": content}


def _error_statuses(method: str, operation: JsonObject) -> Iterator[HTTPStatus]:
    # A wrong Host or Origin.
    yield HTTPStatus.FORBIDDEN
    yield HTTPStatus.TOO_MANY_REQUESTS
    parameters = operation.get("parameters", [])
    if parameters or "requestBody" in operation:
        # A parameter names something unknown, or has an invalid value.
        yield HTTPStatus.NOT_FOUND
        yield HTTPStatus.UNPROCESSABLE_ENTITY
    if method != "get":
        yield HTTPStatus.UNAUTHORIZED
        yield HTTPStatus.CONFLICT
        # A client may send a body even where none is expected.
        yield HTTPStatus.REQUEST_TIMEOUT
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if "requestBody" in operation:
        yield HTTPStatus.BAD_REQUEST
