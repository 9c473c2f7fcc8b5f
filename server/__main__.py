"""The command line: `python -m server serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from server.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.callback()
def hurrah() -> None:
    """Watch a recurrent network learn to write."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where runs and texts are kept.")] = None,
    demo: Annotated[
        bool | None, typer.Option(help="Begin a demonstration when there is no run.")
    ] = None,
) -> None:
    """Serve the page, and train what it asks for."""
    given = {"host": host, "port": port, "data_dir": data_dir, "demo": demo}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"])
            print(f"{name}: {found['msg'].removeprefix('Value error, ')}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from error
    # Imported only now: the other commands do without the web.
    from server.web.serving import run

    raise typer.Exit(run(settings))


if __name__ == "__main__":
    app()
