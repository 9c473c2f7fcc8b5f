import pytest
from pydantic import ValidationError

from server.passages.request import AtUpdate, PassageRequest


@pytest.mark.parametrize(
    ("fields", "thousands"),
    [
        ({}, 1),
        ({"length": 1_001}, 2),
        ({"length": 1_001, "temperatures": [0.5, 1.0, 2.0]}, 6),
        ({"length": 1, "prime": "x" * 2_500}, 3),
    ],
)
def test_work_in_thousands_of_characters(fields, thousands):
    assert PassageRequest(**fields).thousands == thousands


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
