"""The form for a toy text: its tasks with an example each, and its fields."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby

from server.corpora.toy_texts import TASKS, TaskName, ToyText
from server.rnn.answers import find_answers
from server.rnn.vocabulary import Vocabulary
from server.spec.description import MAX_SAFE_INTEGER

__all__ = ["ToyField", "ToyTask", "toy_fields", "toy_tasks"]

EXAMPLE_LINES = 2

Line = list[tuple[str, bool]]
"""The parts of a line in turn, and whether each is an answer."""


@dataclass(frozen=True, slots=True)
class ToyTask:
    """A task in the form; see `server.corpora.toy_texts.Task`."""

    title: str
    explanation: str
    example: list[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyField:
    """A field of the form.

    Attributes
    ----------
    name, title, description, default
        Of the field of `ToyText`.
    minimum, maximum : int
        The range of a number, or of the length of a text.
    is_text : bool
        Whether it is a text, not a number.
    tasks : list of str
        The tasks that it belongs to; empty: all.
    """

    name: str
    title: str
    description: str
    default: int | str
    minimum: int
    maximum: int
    is_text: bool
    tasks: list[TaskName]


@cache
def toy_tasks() -> dict[TaskName, ToyTask]:
    """Return the tasks by name, in the order of the form."""
    return {
        name: ToyTask(task.title, task.explanation, _example(name)) for name, task in TASKS.items()
    }


@cache
def toy_fields() -> list[ToyField]:
    """Return the fields besides the task, in the order of the form."""
    return [
        ToyField(
            name=name,
            title=schema["title"],
            description=schema["description"],
            default=schema["default"],
            minimum=schema["minLength" if schema["type"] == "string" else "minimum"],
            maximum=min(
                schema["maxLength" if schema["type"] == "string" else "maximum"], MAX_SAFE_INTEGER
            ),
            is_text=schema["type"] == "string",
            tasks=[task for task, about in TASKS.items() if name in about.parameters],
        )
        for name, schema in ToyText.model_json_schema()["properties"].items()
        if name != "task"
    ]


def _example(task: TaskName) -> list[Line]:
    text = ToyText(task=task, characters=10_000).text()
    vocabulary = Vocabulary.from_text(text)
    answers = find_answers(vocabulary.encode(text), vocabulary)
    assert answers is not None, "every toy text has answers"
    lines, start = [], 0
    for line in text.splitlines()[:EXAMPLE_LINES]:
        marked = zip(line, answers[start : start + len(line)].tolist(), strict=True)
        lines.append(
            [
                ("".join(c for c, _ in part), is_answer)
                for is_answer, part in groupby(marked, key=lambda p: p[1])
            ]
        )
        start += len(line) + 1
    return lines
