"""The documentation agrees with the settings, limits, tests and files."""

import re
from pathlib import Path

import pytest

from server.analysis import gradient_check
from server.corpora.toy_texts import ToyText
from server.inspection import probe
from server.passages import request
from server.rnn.architecture import MAX_LAYERS
from server.settings import Settings
from server.spec import run_spec
from server.web.routes import checkpoints, milestones, runs

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS = {f"HURRAH_{name.upper()}" for name in Settings.model_fields}
# Read only by the tests.
OTHERS = {"HURRAH_BROWSER"}
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
# Settings that limit and promise nothing.
PLAIN = {"HURRAH_PORT", "HURRAH_DEMO"}


def greatest(model, field, key="maximum"):
    """Return a limit from the model's JSON schema."""
    described = model.model_json_schema()["properties"][field]
    choices = [described, *described.get("anyOf", [])]
    for part in [*choices, *(each["items"] for each in choices if "items" in each)]:
        if key in part:
            return part[key]
    raise LookupError(field)


FIXED = {
    "`hidden_size`": greatest(run_spec.RunSpec, "hidden_size"),
    "`layers`": MAX_LAYERS,
    "`sequence_length`": greatest(run_spec.RunSpec, "sequence_length"),
    "`batch_size`": greatest(run_spec.RunSpec, "batch_size"),
    "`sample_length`": greatest(run_spec.RunSpec, "sample_length"),
    "`max_updates`": greatest(run_spec.RunSpec, "max_updates"),
    "`updates` of one step": greatest(runs.StepRequest, "updates"),
    "`name` of a run": greatest(run_spec.RunSpec, "name", "maxLength"),
    "`watch_words`": greatest(run_spec.RunSpec, "watch_words", "maxItems"),
    "a watch word": greatest(run_spec.RunSpec, "watch_words", "maxLength"),
    "`note` of a checkpoint": greatest(checkpoints.CheckpointRequest, "note", "maxLength"),
    "`text` of a note": greatest(milestones.NoteText, "text", "maxLength"),
    "`text` of a probe": greatest(probe.ProbeRequest, "text", "maxLength"),
    "`temperatures`": greatest(request.PassageRequest, "temperatures", "maxItems"),
    "`temperature`": greatest(request.PassageRequest, "temperature"),
    "parameters of a gradient check": gradient_check.MAX_PARAMETERS,
    "`characters` of a toy text": greatest(ToyText, "characters"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_in_it_exists(page):
    named = set(re.findall(r"HURRAH_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
    assert named <= SETTINGS | OTHERS


def test_every_setting_is_described_for_operators():
    promised = set(re.findall(r"HURRAH_[A-Z_]*[A-Z]", OPERATIONS + SECURITY))
    assert promised >= SETTINGS - PLAIN


def test_every_limit_has_its_response():
    _, _, limits = OPERATIONS.partition("## Limits")
    named = set(
        re.findall(r"HURRAH_[A-Z_]*[A-Z]", limits.partition("The other limits are fixed")[0])
    )
    limiting = {name for name in SETTINGS if re.search(r"_MAX_|_PER_MINUTE$|_TIMEOUT_S$", name)}
    assert named == limiting


def test_every_settings_name_ends_in_its_unit_or_in_what_it_counts():
    units = ("_bytes", "_characters", "_per_minute", "_s")
    things = ("_runs", "_corpora", "_requests", "_connections", "_viewers", "_passages", "_models")
    for name, field in Settings.model_fields.items():
        if field.annotation in {int, float} and name != "port":
            assert name.endswith(units + things), name


def test_the_fixed_limits_are_those_of_the_code():
    _, _, table = OPERATIONS.partition("The other limits are fixed")
    rows = re.findall(
        r"^\| (.+?) \| ([\d,]+)[a-z ]* \|$", table.partition("\n## ")[0], re.MULTILINE
    )
    assert {field: int(most.replace(",", "")) for field, most in rows} == FIXED


def test_every_attack_has_a_test_that_exists():
    rows = re.findall(r"^\| (?!against|---)(.+) \|$", SECURITY, re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        shown_by = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2])
        assert shown_by, row
        for path, test in shown_by:
            tests = re.findall(r"^def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE)
            assert test in tests, f"{path}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_in_it_exists(page):
    named = re.findall(
        r"`((?:server|static|tests|templates|types|benchmarks|scripts|docs)/[\w./-]*\w/?)`",
        page.read_text(encoding="utf-8"),
    )
    # The recipes in CONTRIBUTING.md have capitals for what the reader chooses.
    missing = [name for name in named if not (ROOT / name).exists()]
    assert [name for name in missing if not re.search(r"\bNAME\b|\bFEATURE\b", name)] == []
