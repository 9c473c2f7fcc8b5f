import pytest

from server.inspection.figures import half_life_sentence, make_figures
from server.rnn.cells import CELLS
from server.spec.run_spec import RunSpec

HEALTHY = {
    "gradient_norm": 40.0,
    "clipped_share": 0.0,
    "saturated_share": [0.1],
    "dead_share": [0.0],
    "spectral_radius": [[1.5]],
    "parameter_norms": {"W": 20.0},
    "memory": {"half_life": 2.0},
    "characters": 300,
}
RATIOS = {"update": 101, "ratios": {"W": 0.001, "b": 0.002}}


def figures(ratios=RATIOS, spec=None, **changes):
    spec = RunSpec(corpus="any", **(spec or {}))
    found = make_figures({**HEALTHY, **changes}, ratios, spec)
    return {figure.name: figure for figure in found}


def test_a_healthy_network_needs_no_change():
    for name, figure in figures().items():
        assert figure.status == (None if name == "parameter_norms" else "usual"), name
        assert figure.normal
        assert figure.meaning
        assert not figure.advice


@pytest.mark.parametrize(
    ("name", "changes", "status", "meaning"),
    [
        ("gradient_norm", {"gradient_norm": 1e9}, "harmful", "explodes"),
        ("gradient_norm", {"gradient_norm": None}, "harmful", "explodes"),
        ("gradient_norm", {"gradient_norm": 200.0}, "unusual", "large"),
        ("gradient_norm", {"gradient_norm": 1e-4}, "unusual", "nearly zero"),
        ("clipped_share", {"clipped_share": 0.3}, "unusual", "changes the direction"),
        ("saturated_share", {"saturated_share": [0.9]}, "unusual", "Most activations"),
        ("saturated_share", {"saturated_share": [0.99]}, "harmful", "Nearly all"),
        ("dead_share", {"dead_share": [0.2]}, "unusual", "Some units"),
        ("dead_share", {"dead_share": [1.0]}, "harmful", "Most units"),
        ("spectral_radius", {"spectral_radius": [[0.1]]}, "unusual", "weak"),
        ("spectral_radius", {"spectral_radius": [[12.0]]}, "unusual", "strong"),
        ("spectral_radius", {"spectral_radius": [[90.0]]}, "harmful", "hardly matters"),
        ("spectral_radius", {"spectral_radius": [[None]]}, None, "more than 512 units"),
        ("half_life", {"memory": {"half_life": 0.5}}, "unusual", "leaves 25%"),
        ("half_life", {"memory": {"half_life": "infinite"}}, "harmful", "explodes"),
        ("half_life", {"memory": {"half_life": None}}, "unusual", "too small"),
    ],
)
def test_an_unhealthy_network_is_named(name, changes, status, meaning):
    figure = figures(**changes)[name]
    assert figure.status == status
    assert meaning in figure.meaning
    assert bool(figure.advice) == (status is not None)


def test_advice_fits_the_run():
    slow = {"saturated_share": [0.9], "memory": {"half_life": 0.5}}
    for spec in ({"cell": "lstm"}, {"cell": "gru", "optimizer": "adam"}):
        gates = len(CELLS[spec["cell"]].gate_names)
        found = figures(spec=spec, **slow, spectral_radius=[[1.0] * gates])
        assert "LSTM" not in found["half_life"].advice + found["saturated_share"].advice
        assert ("Adam" in found["saturated_share"].advice) == (spec["cell"] == "lstm")
        assert "vanishes" not in found["saturated_share"].meaning
    vanilla = figures(**slow)
    assert "a GRU or LSTM" in vanilla["half_life"].advice
    assert (
        "clip the gradient"
        in figures(spec={"clip": None}, gradient_norm=1e9)["gradient_norm"].advice
    )


def test_the_worst_value_is_named():
    figure = figures(saturated_share=[0.1, 0.97, 0.6])["saturated_share"]
    assert figure.status == "harmful"
    assert figure.meaning.startswith("Layer 2: Nearly all")
    assert [(value.name, value.status) for value in figure.values] == [
        *(("layer 1", "usual"), ("layer 2", "harmful"), ("layer 3", "unusual")),
    ]
    gates = figures(spec={"cell": "gru"}, spectral_radius=[[1.0, 20.0, 15.0]])["spectral_radius"]
    assert gates.meaning.startswith("Update gate and candidate: The recurrence is strong")
    many = figures(spec={"cell": "gru"}, spectral_radius=[[0.1, 1.0, 0.1]] * 4)["spectral_radius"]
    assert many.meaning.startswith("8 of 12: The recurrence is weak")


def test_update_ratios_name_their_parameters_and_their_update():
    large = {"update": 1_001, "ratios": {"b1": 0.1, "W": 0.001, "b2": None}}
    figure = figures(ratios=large)["update_ratio"]
    assert figure.meaning == "b1: The steps are large. Measured at update 1,001."
    assert [value.status for value in figure.values] == ["unusual", "usual", None]
    assert figures(ratios=None)["update_ratio"].values == []
    overflow = figures(ratios={"update": 1, "ratios": {"W": None}})["update_ratio"]
    assert overflow.meaning.startswith("It is not a finite number")


@pytest.mark.parametrize(
    ("norm", "status", "meaning"),
    [
        (4.0, "usual", "below the limit of 5"),
        (50.0, "usual", "10 times the limit of 5"),
        (500.0, "unusual", "100 times the limit of 5"),
    ],
)
def test_a_limit_of_the_norm_has_sentences_of_its_own(norm, status, meaning):
    found = figures(spec={"clip_mode": "norm"}, gradient_norm=norm, clipped_share=float(norm > 5))[
        "clipped_share"
    ]
    assert found.status == status
    assert meaning in found.meaning


def test_without_clipping_nothing_is_clipped():
    assert "clipping is off" in figures(spec={"clip": None})["clipped_share"].meaning


@pytest.mark.parametrize(
    ("half_life", "sentence"),
    [
        (2.53, "Half of the gradient is left after 2.5 characters back in time."),
        (0.5, "Each character back in time leaves 25% of the gradient."),
        (1234.5, "Half of the gradient is left after 1,234 characters back in time."),
    ],
)
def test_half_lives_in_words(half_life, sentence):
    assert half_life_sentence(half_life) == sentence
