"""The limits in the page's forms and scripts are those of the server's requests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from server.passages.request import PassageRequest
from server.report.parts.writing import passage_request
from server.spec.description import form_description, script_description
from server.spec.report_remarks import ReportRemarks
from server.spec.run_change import RunChange
from server.web.page_limits import page_limits
from server.web.routes.milestones import NoteText
from server.web.routes.pages import templates
from server.web.routes.runs import StepRequest
from server.web.routes.saved_passages import TitleChange
from server.web.toy_text_form import toy_fields, toy_tasks

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))

# These ranges belong to the control, not to a request.
OWN_RANGES = {
    "timeline",
    "drop-progress",
    "passage-temperature",
    "passage-top-p",
    "check-step",
    "temperature",
    "inside-snapshot",
    "text-temperature",
    "hold-value",
    "hold-temperature",
    "spans-threshold",
    "memory-lag",
    "update-position",
    "sweep-bar",
}


@pytest.mark.parametrize(
    ("model", "field", "limit", "unit"),
    [
        (NoteText, "text", "note_characters", "a"),
        (PassageRequest, "length", "passage_characters", 1),
        (PassageRequest, "prime", "prime_characters", "a"),
        (PassageRequest, "temperature", "temperature", 1.0),
        (PassageRequest, "temperatures", "temperatures", [1.0]),
        (RunChange, "name", "run_name_characters", "a"),
        (RunChange, "watch_words", "watched_words", ["a"]),
        (StepRequest, "updates", "step_updates", 1),
        (TitleChange, "title", "title_characters", "a"),
        (ReportRemarks, "author", "report_line_characters", "a"),
        (ReportRemarks, "findings", "report_remark_characters", "a"),
        (ReportRemarks, "translation", "report_translation_characters", "a"),
    ],
)
def test_a_request_accepts_the_limit_and_no_more(
    model: type[BaseModel], field: str, limit: str, unit: Any
) -> None:
    most = page_limits()[limit]
    model.model_validate({field: unit * most})
    with pytest.raises(ValidationError, match=field):
        model.model_validate({field: unit * (most + 1)})


def rendered(page: str, limits: dict[str, int]) -> dict[str, dict[str, str]]:
    """Return the attributes of each input element of a page, by its id."""
    html = templates.get_template(page).render(
        limits=limits,
        operator=True,
        modules=["js/watch.js"],
        spec=form_description(),
        spec_for_scripts=script_description(),
        report_passage=passage_request(),
        toy_tasks=toy_tasks(),
        toy_fields=toy_fields(),
    )
    inputs = [
        dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        for tag in re.findall("<(?:input|textarea)[^>]*>", html)
    ]
    return {each["id"]: each for each in inputs if "id" in each}


def test_the_forms_have_the_limits() -> None:
    # Values that no template contains.
    limits = {name: 31_000_000 + i for i, name in enumerate(page_limits())}
    watch = rendered("index.html", limits)
    in_forms = {
        "passage_characters": watch["passage-length"]["max"],
        "prime_characters": watch["passage-prime-text"]["maxlength"],
        "seed": watch["passage-seed"]["max"],
        "step_updates": watch["step-count"]["max"],
        "temperature": watch["passage-other-temperature"]["max"],
    }
    assert in_forms == {name: str(limits[name]) for name in in_forms}


def test_no_template_repeats_a_limit() -> None:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for tag in re.findall(
            r"<(?:input|textarea|progress)[^>]*>", path.read_text(encoding="utf-8")
        ):
            if re.search(r'\b(?:max|maxlength)="\d', tag):
                assert set(re.findall(r'\bid="([^"]*)"', tag)) <= OWN_RANGES, tag


def test_the_scripts_repeat_no_limit_and_use_existing_ones() -> None:
    used: set[str] = set()
    for path in SCRIPTS:
        script = path.read_text(encoding="utf-8")
        assert not re.search(r"\bmax[Ll]ength\b\W+\d", script), path
        used |= set(re.findall(r"\bLIMITS\.(\w+)", script))
    assert used
    assert used <= set(page_limits())
