"""The limits of requests, as the page's forms and scripts need them."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from server.analysis.gradient_check import MAX_CHARACTERS, MAX_PARAMETERS, MAX_WORK
from server.inspection.probe import MAX_PROBE_CHARACTERS
from server.passages.request import PassageRequest
from server.spec.description import MAX_SAFE_INTEGER, schema_of
from server.spec.report_remarks import ReportRemarks
from server.spec.run_spec import MAX_WATCH_WORDS
from server.standalone.model_files import MAX_PAGE_WEIGHT_BYTES
from server.sweeps.schemas import MAX_CONFIGURATIONS
from server.sweeps.schemas import MAX_SEEDS as MAX_SWEEP_SEEDS
from server.web.games.routes import GameRequest
from server.web.routes.groups.members import MAX_SEEDS
from server.web.routes.milestones import NoteText
from server.web.routes.runs import StepRequest
from server.web.routes.saved_passages import MAX_SLICE_PASSAGES, TitleChange

__all__ = ["page_limits"]


@cache
def page_limits() -> dict[str, int | float]:
    """Return the greatest value, length or number that each request accepts.

    Returns
    -------
    dict
        By name: ``note_characters``, ``prime_characters``, ``run_name_characters``,
        ``title_characters`` and those of a report are lengths of texts. A seed is at most the
        greatest integer that JavaScript represents exactly, although the server accepts greater
        ones.
    """
    return {
        "check_characters": MAX_CHARACTERS,
        "check_parameters": MAX_PARAMETERS,
        "check_work": MAX_WORK,
        "game_rounds": _limit(GameRequest, "rounds", "maximum"),
        "game_seconds": _limit(GameRequest, "seconds", "maximum"),
        "game_text_characters": _limit(GameRequest, "text", "maxLength"),
        "group_seeds": MAX_SEEDS,
        "note_characters": _limit(NoteText, "text", "maxLength"),
        "page_weight_bytes": MAX_PAGE_WEIGHT_BYTES,
        "passage_characters": _limit(PassageRequest, "length", "maximum"),
        "probe_characters": MAX_PROBE_CHARACTERS,
        "prime_characters": _limit(PassageRequest, "prime", "maxLength"),
        "report_line_characters": _limit(ReportRemarks, "title", "maxLength"),
        "report_remark_characters": _limit(ReportRemarks, "loss", "maxLength"),
        "report_translation_characters": _limit(ReportRemarks, "translation", "maxLength"),
        "run_name_characters": schema_of("name")["maxLength"],
        "saved_passages": MAX_SLICE_PASSAGES,
        "seed": MAX_SAFE_INTEGER,
        "step_updates": _limit(StepRequest, "updates", "maximum"),
        "sweep_configurations": MAX_CONFIGURATIONS,
        "sweep_seeds": MAX_SWEEP_SEEDS,
        "temperature": _limit(PassageRequest, "temperature", "maximum"),
        "temperatures": _limit(PassageRequest, "temperatures", "maxItems"),
        "title_characters": _limit(TitleChange, "title", "maxLength"),
        "watched_words": MAX_WATCH_WORDS,
    }


def _limit(model: type[BaseModel], field: str, keyword: str) -> Any:  # noqa: ANN401 - int or float
    """Return a limit in the JSON schema of a field that may also be null."""
    schema = model.model_json_schema()["properties"][field]
    (limit,) = [part[keyword] for part in (schema, *schema.get("anyOf", [])) if keyword in part]
    return int(limit) if limit == int(limit) else limit
