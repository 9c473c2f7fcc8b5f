"""Toy texts: generated texts in which part of each line is determined by the part before it.

They are ordinary texts. `server.rnn.answers` recognises them by their lines alone, and shares no
code with this module.
"""

import random
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

__all__ = ["TASKS", "Task", "TaskName", "ToyText"]

TaskName: TypeAlias = Literal["repeat", "copy", "reverse", "counts", "brackets"]
T = TypeVar("T")

MIN_LINES: Final = 20
"""A text has at least this many lines, even if each is of the greatest length."""

MAX_BRACKETS: Final = 400
"""Longer lines are drawn again. Even of depth 10, there are fewer than one in 100,000."""

SEPARATORS: Final = ".:"
BRACKETS: Final = ("()", "[]", "{}", "<>")


class ToyText(BaseModel):
    """The description of a toy text. Equal descriptions give equal texts on every machine.

    Attributes
    ----------
    task : {"repeat", "copy", "reverse", "counts", "brackets"}
        A key of `TASKS`.
    delay, string_length, longest, count, depth, alphabet
        Only those that belong to the task may be set; see the fields' descriptions.
    characters : int
        The text has the whole lines that fit into this many characters. With a greater number, the
        text begins with the same lines.
    seed : int
        The seed of the random numbers.

    Raises
    ------
    pydantic.ValidationError
        A value is outside its range or does not belong to the task, or the text would have fewer
        than `MIN_LINES` lines.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    task: TaskName
    delay: int = Field(
        10, ge=1, le=500, title="Delay", description="Characters between a string and its repeat."
    )
    string_length: int = Field(
        3, ge=1, le=100, title="String length", description="Letters of each string to repeat."
    )
    longest: int = Field(
        10,
        ge=1,
        le=200,
        title="Longest",
        description="Letters of the longest string. Each length from 1 to this is equally likely.",
    )
    count: int = Field(
        50,
        ge=1,
        le=200,
        title="Greatest n",
        description="The greatest n of a^n b^n. Each n from 1 to this is equally likely.",
    )
    depth: int = Field(
        4, ge=1, le=10, title="Depth", description="Pairs of brackets inside each other at most."
    )
    alphabet: str = Field(
        "abcdefgh",
        min_length=2,
        max_length=100,
        title="Letters",
        description="The letters of the strings, each once.",
    )
    characters: int = Field(
        500_000,
        ge=200,
        le=5_000_000,
        validate_default=True,
        title="Characters",
        description="The text has the whole lines that fit into this many characters.",
    )
    seed: int = Field(
        0, ge=0, le=2**63 - 1, title="Seed", description="Seed of the random strings."
    )

    @field_validator("delay", "string_length", "longest", "count", "depth", "alphabet")
    @classmethod
    def _check_use(cls, value: T, info: ValidationInfo) -> T:
        task: TaskName | None = info.data.get("task")
        if task is not None and info.field_name not in TASKS[task].parameters:
            raise ValueError(f"does not belong to the task {task!r}")
        return value

    @field_validator("alphabet")
    @classmethod
    def _check_alphabet(cls, alphabet: str) -> str:
        for character in alphabet:
            if not character.isprintable() or unicodedata.category(character)[0] in "MZ":
                raise ValueError(f"must not contain U+{ord(character):04X}, which is not a letter")
            if character in SEPARATORS:
                raise ValueError(f"must not contain {character!r}, which separates strings")
            if alphabet.count(character) > 1:
                raise ValueError(f"must contain {character!r} only once")
        return alphabet

    @field_validator("characters")
    @classmethod
    def _check_characters(cls, characters: int, info: ValidationInfo) -> int:
        if info.data.keys() != cls.model_fields.keys() - {"characters", "seed"}:
            return characters  # another field is wrong
        line = TASKS[info.data["task"]].longest_line(cls.model_construct(**info.data))
        if characters < MIN_LINES * line:
            raise ValueError(
                f"must be at least {MIN_LINES * line:,}, enough for {MIN_LINES} lines of {line:,}"
            )
        return characters

    @property
    def name(self) -> str:
        """The display name of the text."""
        return TASKS[self.task].name.format_map(dict(self))

    def text(self) -> str:
        """Return the text. Every line has an end."""
        lines: list[str] = []
        left = self.characters
        # Of the module's methods, only this one gives the same numbers in every version of Python.
        draw = random.Random(self.seed).random  # noqa: S311 - no secret
        while True:
            line = TASKS[self.task].line(self, lambda n: int(draw() * n)) + "\n"
            left -= len(line)
            if left < 0:
                return "".join(lines)
            lines.append(line)


Draw: TypeAlias = Callable[[int], int]
"""Returns a random number from 0 up to, not including, its argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kind of toy text.

    Attributes
    ----------
    title : str
        What a list of tasks shows.
    name : str
        The display name of a text, with the parameters' names in braces.
    explanation : str
        What a line contains and what must be remembered, in plain sentences.
    parameters : tuple of str
        The fields of `ToyText` that belong to it.
    line : callable
        Returns a random line, without its end.
    longest_line : callable
        Returns the greatest length of a line, its end included.
    """

    title: str
    name: str
    explanation: str
    parameters: tuple[str, ...]
    line: Callable[[ToyText, Draw], str]
    longest_line: Callable[[ToyText], int]


def _string(toy: ToyText, length: int, draw: Draw) -> str:
    return "".join([toy.alphabet[draw(len(toy.alphabet))] for _ in range(length)])


def _repeated(toy: ToyText, draw: Draw) -> str:
    string = _string(toy, toy.string_length, draw)
    return f"{string}{'.' * toy.delay}{string}"


def _copied(toy: ToyText, draw: Draw) -> str:
    string = _string(toy, 1 + draw(toy.longest), draw)
    return f"{string}:{string}"


def _reversed(toy: ToyText, draw: Draw) -> str:
    string = _string(toy, 1 + draw(toy.longest), draw)
    return f"{string}:{string[::-1]}"


def _counted(toy: ToyText, draw: Draw) -> str:
    n = 1 + draw(toy.count)
    return "a" * n + "b" * n


def _nested(toy: ToyText, draw: Draw) -> str:
    while True:
        line = _pair(toy.depth, draw)
        if len(line) <= MAX_BRACKETS:
            return line


def _pair(depth: int, draw: Draw) -> str:
    left, right = BRACKETS[draw(len(BRACKETS))]
    return f"{left}{_thing(depth - 1, draw)}{_thing(depth - 1, draw)}{right}"


def _thing(depth: int, draw: Draw) -> str:
    return _pair(depth, draw) if depth and draw(2) else "."


TASKS: Final[Mapping[TaskName, Task]] = MappingProxyType(
    {
        "repeat": Task(
            title="Repeat a string",
            name="Repeat after {delay} characters",
            explanation=(
                "Each line is a random string, a delay, and the same string again. The network must"
                " remember the string while it reads the delay."
            ),
            parameters=("delay", "string_length", "alphabet"),
            line=_repeated,
            longest_line=lambda toy: 2 * toy.string_length + toy.delay + 1,
        ),
        "copy": Task(
            title="Copy a string",
            name="Copy up to {longest} letters",
            explanation=(
                "Each line is a random string of random length, a colon, and the same string again."
                " The network must remember every letter, their order and their number."
            ),
            parameters=("longest", "alphabet"),
            line=_copied,
            longest_line=lambda toy: 2 * toy.longest + 2,
        ),
        "reverse": Task(
            title="Reverse a string",
            name="Reverse up to {longest} letters",
            explanation=(
                "Each line is a random string of random length, a colon, and the string backwards."
                " The letter read last is needed first."
            ),
            parameters=("longest", "alphabet"),
            line=_reversed,
            longest_line=lambda toy: 2 * toy.longest + 2,
        ),
        "counts": Task(
            title="Count: a^n b^n",
            name="Count up to {count}: a^n b^n",
            explanation=(
                "Each line is some number of a, and then as many b. The network must count the a to"
                " know when the line ends."
            ),
            parameters=("count",),
            line=_counted,
            longest_line=lambda toy: 2 * toy.count + 1,
        ),
        "brackets": Task(
            title="Balance brackets",
            name="Brackets to depth {depth}",
            explanation=(
                "Each line is a pair of brackets. Every pair holds two things: a dot, or another"
                " pair of one of four kinds. The network must remember which brackets are open and"
                " how much each of them holds."
            ),
            parameters=("depth",),
            line=_nested,
            longest_line=lambda toy: min(6 * 2 ** (toy.depth - 1) - 2, MAX_BRACKETS) + 1,
        ),
    }
)
"""The tasks, in the order of the form."""
