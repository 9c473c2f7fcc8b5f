"""The values that a spec and a change accept, and the errors for others."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server.spec.run_change import RunChange
from server.spec.run_spec import RunSpec

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def test_the_defaults_are_those_of_the_course():
    spec = RunSpec().model_dump()
    assert (spec["hidden_size"], spec["sequence_length"]) == (100, 25)
    assert (spec["optimizer"], spec["learning_rate"], spec["clip"]) == ("adagrad", 0.1, 5.0)
    assert (spec["max_updates"], spec["sample_every"]) == (100_000, 10_000)


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adagrad", 0.1), ("adam", 0.002), ("rmsprop", 0.002), ("sgd", 0.1)]
)
def test_the_default_learning_rate_depends_on_the_optimizer(optimizer, rate):
    assert RunSpec(optimizer=optimizer).learning_rate == rate
    assert RunSpec(optimizer=optimizer, learning_rate=0.5).learning_rate == 0.5


@pytest.mark.parametrize(
    ("sizes", "factor"),
    [
        ({}, 0.999),
        ({"sequence_length": 50}, 0.998),
        ({"sequence_length": 50, "batch_size": 20}, 0.96),
        ({"sequence_length": 50, "batch_size": 50}, 0.9),
        ({"sequence_length": 1_000, "batch_size": 1_024}, 0.9),
        ({"batch_size": 50, "loss_smoothing": 0.5}, 0.5),
        ({"loss_smoothing": 0}, 0.0),
    ],
)
def test_the_smooth_loss_averages_as_many_characters_at_every_size(sizes, factor):
    assert RunSpec(**sizes).smoothing == pytest.approx(factor, rel=1e-12)


def test_the_smooth_loss_of_the_course_has_exactly_its_factor():
    assert RunSpec().smoothing == 0.999
    assert RunSpec().loss_smoothing is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("loss_smoothing", -0.1), ("loss_smoothing", 0.99995), ("loss_smoothing", "0.9")),
        *(("hidden_size", 0), ("hidden_size", "100"), ("hidden_size", True), ("hidden_size", 1.5)),
        *(("learning_rate", 0), ("learning_rate", float("nan")), ("learning_rate", float("inf"))),
        *(("seed", -1), ("max_updates", 0), ("pace", 0), ("pace", "fast"), ("pace", True)),
        *(("watch_words", ["  "]), ("watch_words", "Orla"), ("name", ""), ("name", "\ud800")),
        *(("cell", "cnn"), ("layers", 5), ("dropout", 1.0), ("batch_size", 0), ("optimizer", "x")),
        *(("sequence_length", 1_001), ("sample_length", 20_001), ("colour", "red")),
    ],
)
def test_an_error_names_the_field(field, value):
    with pytest.raises(ValidationError) as caught:
        RunSpec(**{field: value})
    assert caught.value.errors()[0]["loc"][0] == field


@given(st.dictionaries(st.sampled_from([*RunSpec.model_fields, "other"]), json_values))
def test_any_json_is_a_spec_or_a_validation_error(fields):
    try:
        spec = RunSpec(**fields)
    except ValidationError:
        return
    assert RunSpec.model_validate_json(json.dumps(spec.model_dump(mode="json"))) == spec


@pytest.mark.parametrize("pace", ["max", "cinematic", 1, 0.5, 1_000])
def test_valid_paces(pace):
    assert RunSpec(pace=pace).pace == pace


def test_a_change_has_at_least_one_field_and_a_value():
    with pytest.raises(ValidationError, match="at least one field"):
        RunChange()
    with pytest.raises(ValidationError, match="cannot be null"):
        RunChange(pace=None)
    assert RunChange(max_updates=None).model_fields_set == {"max_updates"}
    with pytest.raises(ValidationError):
        RunChange(seed=1)
