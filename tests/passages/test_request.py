import pytest
from pydantic import ValidationError

from server.passages.request import AtUpdate, NetworkSize, PassageRequest

SMALL = NetworkSize(parameters=26_783, distinct=83, corpus_characters=464_218)
LARGE = NetworkSize(parameters=12_700_000, distinct=83, corpus_characters=464_218)
WIDE = NetworkSize(parameters=1_260_000, distinct=60_000, corpus_characters=464_218)


@pytest.mark.parametrize(
    ("fields", "thousands"),
    [
        ({}, 1),
        ({"length": 1}, 1),
        ({"length": 1_001}, 2),
        ({"length": 1_001, "temperatures": [0.5, 1.0, 2.0]}, 6),
        ({"length": 1, "prime": "x" * 999}, 1),
        ({"length": 1, "prime": "x" * 2_500}, 3),
        ({"length": 1, "prime": "x" * 10_000}, 11),
        ({"length": 2_000, "prime": "x" * 2_500, "temperatures": [1, 2]}, 6),
        ({"length": 20_000, "top_p": 0.9}, 20),
    ],
)
def test_a_small_network_costs_its_thousands_of_characters(fields, thousands):
    assert PassageRequest(**fields).tokens(SMALL) == thousands


def test_the_cost_is_the_work():
    """Tokens are proportional to the time: for parameters, random numbers, sorting and texts."""
    request = PassageRequest(length=5_000)
    assert 400 < request.tokens(LARGE) < 600
    assert 100 < request.tokens(WIDE) < 300
    assert PassageRequest(length=5_000, top_p=0.9).tokens(WIDE) > 3 * request.tokens(WIDE)
    assert PassageRequest(length=5_000, top_k=9).tokens(WIDE) > 3 * request.tokens(WIDE)
    twice = PassageRequest(length=5_000, temperatures=[1, 2])
    assert twice.tokens(LARGE) == pytest.approx(2 * request.tokens(LARGE), rel=0.01)
    primed = PassageRequest(length=1, prime="x" * 5_000, temperatures=[1, 2])
    assert primed.tokens(LARGE) == pytest.approx(request.tokens(LARGE), rel=0.01)
    # Measuring a text of 20 MB, too.
    book = NetworkSize(parameters=26_783, distinct=83, corpus_characters=20_000_000)
    assert PassageRequest().tokens(book) > 1


@pytest.mark.parametrize("network", [SMALL, LARGE, WIDE])
@pytest.mark.parametrize("fields", [{}, {"top_p": 0.9}, {"temperatures": [1] * 10}])
def test_one_request_has_a_limit(network, fields):
    longest = PassageRequest(**fields).max_length(network)
    # Two minutes, which no usual passage takes.
    assert longest >= 1_000
    assert longest * PassageRequest(**fields).character_ns(network) <= 120e9
    if network is SMALL:
        assert longest > 20_000


@pytest.mark.parametrize(
    "fields",
    [
        {"length": 0},
        {"length": 20_001},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"prime": "\ud800"},
        {"seed": 2**63},
        {"temperatures": []},
        {"source": ""},
        {"unknown": 1},
    ],
)
def test_invalid_requests(fields):
    with pytest.raises(ValidationError):
        PassageRequest(**fields)


def test_the_fingerprint_of_a_model_is_24_hexadecimal_digits():
    assert AtUpdate(update=1, model="0" * 24).model == "0" * 24
    for model in ("0" * 23, "G" * 24, "../" * 8):
        with pytest.raises(ValidationError):
            AtUpdate(update=1, model=model)
