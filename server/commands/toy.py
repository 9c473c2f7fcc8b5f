"""`python -m server toy`: its options, which describe a toy text."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from server.commands.options.spec_options import Command, with_options
from server.corpora.toy_texts import TASKS, ToyText

__all__ = ["with_toy_options"]


def with_toy_options(command: Command) -> Command:
    """Give a command whose last parameter is `**options` an option for each field of a toy text."""
    return with_options(
        command, [_parameter(name) for name in ToyText.model_fields if name != "task"]
    )


def _parameter(name: str) -> inspect.Parameter:
    field = ToyText.model_fields[name]
    tasks = [task for task, about in TASKS.items() if name in about.parameters]
    of_tasks = f" Only for {', '.join(tasks)}." if tasks else ""
    option = typer.Option(help=f"{field.description}{of_tasks}", show_default=str(field.default))
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[type(field.default) | None, option],
    )
