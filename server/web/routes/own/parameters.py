"""Weights of one's own: check a file of them, and create a run that starts from it.

The file is sent for both, and nothing is held in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from server.checkpoints.given_parameters import GivenParameters
from server.rnn.vocabulary import Vocabulary
from server.runs.initial_checkpoint import GivenFile
from server.spec.run_spec import RunSpec, SpecError
from server.spec.schemas import ApiModel, Run
from server.web.dependencies import Services, ServicesDep
from server.web.http.problems import Problem
from server.web.http.upload_form import UploadRoute

router = APIRouter(prefix="/api", tags=["runs"], route_class=UploadRoute)


class FoundParameter(ApiModel):
    """A parameter: its name here, its name and shape in the file, and whether it was transposed."""

    name: str
    source: str
    shape: list[int]
    transposed: bool


class FoundParameters(ApiModel):
    """The network whose weights a file has."""

    file: str
    cell: str
    hidden_size: int
    layers: int
    characters: int
    parameters: list[FoundParameter]
    remarks: list[str]


@router.post("/parameters")
async def check_parameters(
    request: Request,
    services: ServicesDep,
    file: Annotated[UploadFile, File()],
    corpus: Annotated[str | None, Form(max_length=64)] = None,
) -> FoundParameters:
    """Check a file of weights, also against a text; nothing is stored."""
    given = await _read(request, services, file)
    parameters = given.parameters
    if corpus is not None:
        path = services.corpora.path(corpus)
        parameters = await asyncio.to_thread(_for_text, parameters, path.read_bytes)
    sizes = parameters.architecture
    return FoundParameters(
        file=given.name,
        cell=sizes.cell,
        hidden_size=sizes.hidden_size,
        layers=sizes.layers,
        characters=sizes.vocabulary_size,
        parameters=[
            FoundParameter(
                name=each.name,
                source=each.source,
                shape=list(each.shape),
                transposed=each.transposed,
            )
            for each in parameters.sources
        ],
        remarks=parameters.remarks,
    )


@router.post("/runs/from-parameters", status_code=201)
async def create_run_from_parameters(
    request: Request,
    services: ServicesDep,
    file: Annotated[UploadFile, File()],
    spec: Annotated[str, Form()] = "{}",
) -> Run:
    """Create a run that starts from a file of weights; `spec` is a RunSpec as JSON."""
    given = await _read(request, services, file)
    try:
        requested = RunSpec.model_validate_json(spec)
        return await services.supervisor.create_from(requested, given)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors) from error


async def _read(request: Request, services: Services, file: UploadFile) -> GivenFile:
    if (sent := len((await request.form()).getlist("file"))) > 1:
        raise SpecError("file", f"must be one file, not {sent}")
    limit_bytes, size_bytes = services.settings.max_upload_bytes, file.size or 0
    if size_bytes > limit_bytes:
        raise Problem(413, f"The file has {size_bytes:,} bytes; the limit is {limit_bytes:,}.")
    return await asyncio.to_thread(GivenFile.read, file.file, file.filename or "")


def _for_text(given: GivenParameters, read: Callable[[], bytes]) -> GivenParameters:
    return given.for_vocabulary(Vocabulary.from_text(read().decode()))
