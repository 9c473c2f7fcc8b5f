"""The command line: serve, train, sample, gradcheck."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

# Before NumPy is imported, which reads it once: the matrices are small, and threads that wait for
# each other cost more than they bring.
for variable in ("OPENBLAS", "OMP", "MKL", "VECLIB"):
    os.environ.setdefault(f"{variable}_{'MAXIMUM' if variable == 'VECLIB' else 'NUM'}_THREADS", "1")

import typer
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from server.analysis.gradient_check import GradientCheckRequest
from server.checkpoints.checkpoint_format import load_model
from server.checkpoints.npz import DamagedArchiveError
from server.commands.console import Terminal
from server.commands.gradcheck import show
from server.commands.output_directory import CHECKPOINT, naming
from server.commands.resume import TrainingError
from server.commands.spec_options import (
    option_of,
    parameter_of,
    spec_values,
    with_spec_options,
)
from server.commands.train import Training
from server.commands.train import train as train_on
from server.corpora.decoding import NotTextError, decode_text
from server.rnn.gradient_check.check import check_gradients
from server.rnn.sampling.sampling import generate
from server.rnn.training.trainer import TextTooShortError
from server.settings import Settings
from server.spec.run_spec import RunSpec, SpecError

Model = TypeVar("Model", bound=BaseModel)

WRONG_USAGE = 2
INTERRUPTED = 130

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
    options = {"host": host, "port": port, "data_dir": data_dir, "demo": demo}
    given = {name: value for name, value in options.items() if value is not None}
    settings = _checked(Settings, **given)
    # Imported only now: the other commands do without the web.
    from server.web.server import run  # noqa: PLC0415

    raise typer.Exit(run(settings))


@app.command()
@with_spec_options
def train(
    context: typer.Context,
    corpus: Annotated[Path, typer.Argument(help="A text file, in any encoding.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; default: the text's name.")
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Go on from what the folder holds, as it was trained so far.")
    ] = False,
    **options: Any,  # noqa: ANN401 - those of the spec
) -> None:
    """Train a network on a text file, without a browser."""
    spec = _checked(RunSpec, **spec_values(options))
    given = {field for field in RunSpec.model_fields if _is_given(context, parameter_of(field))}
    _train(corpus, spec, given, out or Path(corpus.stem), resume=resume)


def _train(corpus: Path, spec: RunSpec, given: set[str], out: Path, *, resume: bool) -> None:
    terminal = Terminal()
    try:
        with naming(corpus):
            text = decode_text(corpus.read_bytes()).text
        with terminal.heeding_signals():
            training = train_on(text, spec, given, out, resume=resume, terminal=terminal)
            _say_how_it_ended(training, terminal, out)
    except SpecError as error:
        raise _wrong_usage(f"{option_of(error.field)}: {error.message}") from error
    except (NotTextError, TextTooShortError, TrainingError) as error:
        raise _failure(str(error)) from error
    except OSError as error:
        raise _failure(f"{error.filename or out}: {error.strerror}.") from error


def _say_how_it_ended(training: Training, terminal: Terminal, out: Path) -> None:
    say, at = terminal.console.print, training.trainer.updates
    if terminal.told_to_end:
        say(f"Stopped at update {at:,}. To go on, give the same command with --resume.")
        raise typer.Exit(INTERRUPTED)
    if terminal.lost is not None:
        raise _failure(
            f"Standard output: {terminal.lost.strerror}; stopped at update {at:,}, from where"
            " --resume goes on."
        )
    if training.made_nothing:
        say(f"All {at:,} updates were made already: --updates asks for more.")
    say(f"Done: {at:,} updates. {out / CHECKPOINT} and best.npz hold the network.")


@app.command()
def sample(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint or a model, .npz.")],
    length: Annotated[int, typer.Option(min=1, max=1_000_000, help="Characters.")] = 1_000,
    temperature: Annotated[float, typer.Option(min=0, help="0: the likeliest each time.")] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Draw from so many of the likeliest.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(min=1e-9, max=1, help="Draw from the likeliest share.")
    ] = None,
    prime: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    latest: Annotated[
        bool, typer.Option("--latest", help="Not the best model but the latest.")
    ] = False,
) -> None:
    """Write text with a network that was saved."""
    try:
        model, vocabulary = load_model(checkpoint, "latest" if latest else "best")
    except DamagedArchiveError as error:
        raise _failure(f"{error}.") from error
    except OSError as error:
        raise _failure(f"{checkpoint}: {error.strerror}.") from error
    known, unknown = vocabulary.split_known(prime)
    if unknown:
        named = ", ".join(repr(character) for character in unknown)
        print(f"The network does not know {named}; passed over.", file=sys.stderr)  # noqa: T201
    indices = generate(
        model,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        prime=vocabulary.encode(known) if known else None,
    )
    print(vocabulary.decode(indices))  # noqa: T201 - what the command is for


@app.command()
def gradcheck(
    cell: Annotated[str, typer.Option(help="rnn, gru or lstm.")] = "rnn",
    hidden_size: Annotated[int, typer.Option(min=1, max=200, help="Hidden units.")] = 20,
    layers: Annotated[int, typer.Option(min=1, max=4, help="Layers.")] = 1,
    sequence_length: Annotated[int, typer.Option(min=1, max=200, help="Characters.")] = 10,
    batch_size: Annotated[int, typer.Option(min=1, max=50, help="Streams.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the network and the text.")] = 0,
) -> None:
    """Prove the gradients against two numerical derivatives."""
    asked = _checked(
        GradientCheckRequest,
        cell=cell,
        hidden_size=hidden_size,
        layers=layers,
        sequence_length=sequence_length,
        batch_size=batch_size,
        seed=seed,
    )
    check = check_gradients(
        cell=asked.cell,
        hidden_size=hidden_size,
        layers=layers,
        sequence_length=sequence_length,
        batch_size=batch_size,
        seed=seed,
    )
    show(check, Console())
    raise typer.Exit(0 if check.passed else 1)


def _checked(kind: type[Model], **given: object) -> Model:
    """Return settings, a spec or a request made of the options that were given.

    Raises
    ------
    typer.Exit
        Some are not valid. Each is reported by its option or by its environment variable.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        for found in error.errors():
            field = "_".join(map(str, found["loc"][:1]))
            message = found["msg"].removeprefix("Value error, ")
            option = option_of(field)
            if kind is Settings and field not in given:
                option = f"HURRAH_{field.upper()}"
            print(f"{option}: {message}" if field else message, file=sys.stderr)  # noqa: T201
        raise typer.Exit(WRONG_USAGE) from error
    except SettingsError as error:
        # A list that is not JSON; the message names the setting.
        print(f"{error}.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(WRONG_USAGE) from error


def _is_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name not in {"DEFAULT", "DEFAULT_MAP"}


def _wrong_usage(message: str) -> typer.Exit:
    print(message, file=sys.stderr)  # noqa: T201 - to the user
    return typer.Exit(WRONG_USAGE)


def _failure(message: str) -> typer.Exit:
    print(message, file=sys.stderr)  # noqa: T201 - to the user
    return typer.Exit(1)


if __name__ == "__main__":
    app()
