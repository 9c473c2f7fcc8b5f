"""Everything that depends on the spec's fields follows from their descriptions."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from scripts.protocol_tables import spec_table
from server.rnn.cells import CELLS
from server.rnn.cells.cell import Cell
from server.rnn.optimizers import LEARNING_RATES, OPTIMIZERS
from server.rnn.training.settings import TrainerSettings
from server.spec.description import (
    default_of,
    form_description,
    schema_of,
    script_description,
)
from server.spec.fork_spec import CHANGEABLE
from server.spec.run_change import RunChange
from server.spec.run_spec import FORK_FORM, NEW_RUN_FORM, SPEC_FIELDS, RunSpec

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"

SHIPPED_CELLS = list(CELLS)
# Fields that a form leaves out, or shows outside its list of fields.
NOT_IN_NEW_RUN_FORM = {"corpus"}
NOT_IN_FORK_FORM = {"paused"}


def test_every_field_is_described():
    assert list(SPEC_FIELDS) == list(RunSpec.model_fields)
    for about in SPEC_FIELDS.values():
        assert about.label
        assert about.explanation.endswith(".")


def test_the_trainer_and_the_spec_have_the_same_defaults():
    spec = RunSpec()
    for field in fields(TrainerSettings):
        assert getattr(spec, field.name) == field.default, field.name


@pytest.mark.parametrize(
    ("layout", "all_fields", "left_out"),
    [
        (NEW_RUN_FORM, set(SPEC_FIELDS), NOT_IN_NEW_RUN_FORM),
        (FORK_FORM, CHANGEABLE, NOT_IN_FORK_FORM),
    ],
)
def test_a_form_has_every_field_that_it_may_set(layout, all_fields, left_out):
    shown = [*layout.main, *layout.folded]
    assert len(set(shown)) == len(shown)
    assert set(shown) == all_fields - left_out


def test_the_fields_of_a_fork_and_of_a_change_are_those_of_the_contract():
    fixed = {
        *("corpus", "cell", "hidden_size", "layers", "sequence_length", "batch_size", "optimizer"),
        *("init_scale", "validation_fraction", "dtype"),
    }
    assert not CHANGEABLE & fixed
    assert {
        *("name", "learning_rate", "learning_rate_decay", "clip", "clip_mode", "dropout", "seed"),
        *("max_updates", "sample_every", "sample_length", "checkpoint_every_s", "pace"),
        *("watch_words", "paused"),
    } <= CHANGEABLE
    changeable_in_a_run = {
        *("name", "learning_rate", "max_updates", "sample_every", "pace", "watch_words"),
    }
    assert changeable_in_a_run <= set(RunChange.model_fields)
    assert not RunChange.model_fields.keys() & (fixed | {"seed", "paused"})


def ranges(model, name):
    """Return the JSON schemas of what a field may be, without what is for people to read."""
    schema = model.model_json_schema()["properties"][name]
    for_people = {"description", "title", "default"}
    return [
        {key: part[key] for key in part.keys() - for_people}
        for part in schema.get("anyOf", [schema])
    ]


@pytest.mark.parametrize("name", list(RunChange.model_fields))
def test_a_change_has_the_range_of_the_specs_field(name):
    null = {"type": "null"}
    assert [*filter(null.__ne__, ranges(RunChange, name))] == [
        *filter(null.__ne__, ranges(RunSpec, name))
    ]


def test_null_is_described_where_it_is_allowed():
    for name, about in SPEC_FIELDS.items():
        parts = RunSpec.model_json_schema()["properties"][name].get("anyOf", [])
        assert ({"type": "null"} in parts) == (about.null is not None), name


def test_choices_are_values_that_the_spec_accepts():
    for name, about in SPEC_FIELDS.items():
        for value in (about.choices or dict)():
            assert getattr(RunSpec(**{name: value}), name) == value
        if "enum" in schema_of(name):
            assert list(about.choices()) == schema_of(name)["enum"], name


def test_phrases_name_fields():
    spec = RunSpec().model_dump()
    for about in SPEC_FIELDS.values():
        if about.column is not None:
            about.column.phrase.format(**spec)


def test_the_protocols_table_is_that_of_the_fields():
    assert spec_table() in PROTOCOL.read_text(encoding="utf-8"), "run make generate"


def test_inputs_have_the_fields_ranges():
    described = form_description()["fields"]
    assert described["layers"]["attributes"] == {"min": "1", "max": "4", "step": "1"}
    assert described["dropout"]["attributes"] == {"min": "0", "max": "0.95", "step": "any"}
    assert described["name"]["attributes"] == {"maxlength": "120"}
    assert described["seed"]["attributes"] == {"min": "0", "step": "1"}
    assert [described[name]["default"] for name in ("clip", "max_updates", "pace")] == [
        *("5", 100_000, "max"),
    ]


def test_the_page_gets_every_default():
    described = {each["name"]: each for each in script_description()["fields"]}
    assert list(described) == list(RunSpec.model_fields)
    assert {name: each["default"] for name, each in described.items()} == {
        name: default_of(name) for name in RunSpec.model_fields
    }
    assert described["learning_rate"]["default_by"] == {
        "field": "optimizer",
        "defaults": LEARNING_RATES,
    }


@pytest.fixture
def another_cell(monkeypatch):
    """A cell with the vanilla cell's computations under another name."""
    shipped = CELLS["rnn"]
    own = {field.name: getattr(shipped, field.name) for field in fields(Cell)}
    monkeypatch.setitem(CELLS, "other", Cell(**own | {"name": "other", "label": "another cell"}))


@pytest.mark.usefixtures("another_cell")
def test_a_cell_that_is_registered_later_is_accepted():
    assert RunSpec(cell="other").cell == "other"
    assert ("other", "another cell") in form_description()["fields"]["cell"]["choices"]
    assert script_description()["cells"]["other"] == {"gates": 1, "extra_parameters": 0}
    # The documented interface lists what is shipped.
    assert schema_of("cell")["enum"] == SHIPPED_CELLS


def test_an_unknown_cell_is_refused_with_the_known_ones():
    with pytest.raises(ValidationError, match=f"must be one of {', '.join(SHIPPED_CELLS)}"):
        RunSpec(cell="other")


def test_an_optimizer_that_is_registered_later_is_accepted(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "other", OPTIMIZERS["adam"])
    monkeypatch.setitem(LEARNING_RATES, "other", 0.5)
    assert RunSpec(optimizer="other").learning_rate == 0.5


def test_the_layouts_are_those_that_the_page_gets():
    assert script_description()["forms"] == {"new": asdict(NEW_RUN_FORM), "fork": asdict(FORK_FORM)}
