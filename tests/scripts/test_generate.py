"""The generated files are up to date, and the generator knows the types that it meets."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, TypedDict

import pytest
from pydantic import BaseModel, Field

from scripts.generate import PROTOCOL, WIRE, generated_files
from scripts.typescript import declarations


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A point."""

    place: tuple[int, float]


class Head(TypedDict):
    """The head."""

    id: str


class Drawing(BaseModel):
    """A drawing with ``points``.

    More about it.
    """

    from_: int = Field(alias="from")
    points: list[Point]
    names: tuple[str, ...] = ()
    scores: list[list[float | None]]
    size: Annotated[int, Field(gt=0)] | Literal["small", "large"] | None = None
    colour: Colour
    filled: bool


class Handler(BaseModel):
    """A type that JSON cannot represent."""

    call: Callable[[], None]


@pytest.mark.parametrize("path", [PROTOCOL, WIRE], ids=lambda path: path.name)
def test_the_generated_files_are_up_to_date(path):
    expected = generated_files()[path]
    assert path.read_text(encoding="utf-8") == expected, f"{path.name} is stale: run make generate"


def test_every_type_that_a_type_contains_is_declared_once():
    assert (
        declarations([Drawing, Colour], {Drawing: Head})
        == """\
/** The head. */
interface Head {
  id: string;
}

/** A drawing with `points`. */
interface Drawing extends Head {
  from: number;
  points: Point[];
  names: string[];
  scores: (number | null)[][];
  size: number | "small" | "large" | null;
  colour: Colour;
  filled: boolean;
}

/** A colour. */
type Colour = "red" | "blue";

/** A point. */
interface Point {
  place: [number, number];
}
"""
    )


def test_a_type_that_json_cannot_represent_is_refused():
    with pytest.raises(TypeError, match="no counterpart in TypeScript"):
        declarations([Handler], {})
