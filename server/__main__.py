"""The command line: serve, train, sample, toy, gradcheck, report, export and others."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any, Literal, TypeVar

# NumPy reads these when it is imported. The matrices are small: more threads make them slower.
for variable in ("OPENBLAS", "OMP", "MKL", "VECLIB"):
    os.environ.setdefault(f"{variable}_{'MAXIMUM' if variable == 'VECLIB' else 'NUM'}_THREADS", "1")

# Imports create many objects and hardly any garbage; collections would take a third of their time.
gc.disable()

import typer
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from server import __version__
from server.analysis.course import ProblemRequest
from server.analysis.gradient_check import GradientCheckRequest
from server.checkpoints.array_files import ArrayFileError
from server.checkpoints.checkpoint_format import load_model
from server.checkpoints.given_parameters import ParametersError
from server.checkpoints.npz import DamagedArchiveError
from server.commands.console import TrainingConsole, replace_unprintable, write_result
from server.commands.course import PROBLEM_FILE, print_answer, read_gradients
from server.commands.gradcheck import (
    print_gradient_check,
    with_check_options,
    with_problem_options,
)
from server.commands.options.completion import complete_run
from server.commands.options.spec_file import SpecFileError, read_spec_file
from server.commands.options.spec_options import spec_values, with_spec_options
from server.commands.output_directory import CHECKPOINT, default_output_directory, with_filename
from server.commands.resume import TrainingError
from server.commands.toy import with_toy_options
from server.commands.train import NO_TEST_PART, TrainingSession
from server.commands.train import train as train_text
from server.corpora.decoding import NotTextError, decode_text
from server.corpora.gutenberg import find_licence, without_licence
from server.corpora.toy_texts import TaskName, ToyText
from server.corpora.visible_text import without_controls
from server.course.answer import check_answer
from server.course.problem import make_problem, problem_file
from server.course.recognition import AnswerError
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.gradient_check.check import check_gradients
from server.rnn.sampling.sampling import generate
from server.rnn.training.trainer import TextTooShortError
from server.runs.initial_checkpoint import GivenFile
from server.settings import Settings
from server.spec.description import option_of, parameter_of
from server.spec.run_spec import RunSpec, SpecError

gc.enable()

Model = TypeVar("Model", bound=BaseModel)

WRONG_USAGE = 2
STOPPED_BY_SIGNAL = 130
# How many new objects the server's garbage collector waits for. After Python's own 700, it would
# visit the objects of hundreds of runs every few seconds and stop the event loop for 0.3 s.
NEW_OBJECTS_PER_COLLECTION = 20_000
MAX_ERROR_CHARACTERS = 2_000

# A shell completes the name of a command, not `python -m server`.
app = typer.Typer(
    add_completion=Path(sys.argv[0]).stem == "hurrah", no_args_is_help=True, help=__doc__
)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"hurrah {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def hurrah(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Watch a recurrent network learn to write."""
    replace_unprintable(sys.stdout, sys.stderr)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 chooses a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of runs and texts.")] = None,
    demo: Annotated[
        bool | None, typer.Option(help="Start a demo run if there is no run yet.")
    ] = None,
    root_path: Annotated[
        str | None, typer.Option(help="Prefix of all addresses behind a reverse proxy.")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error; default: info.")
    ] = None,
) -> None:
    """Serve the page, and train the runs that are started on it."""
    options = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "demo": demo,
        "root_path": root_path,
        "log_level": log_level,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = _checked(Settings, **given)
    # Imported here: the other commands start faster without the web framework.
    gc.disable()
    from server.web.server import run  # noqa: PLC0415

    # The imported objects live as long as the process: exclude them from later collections.
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_PER_COLLECTION, 10, 10)
    gc.enable()
    raise typer.Exit(run(settings))


@app.command()
@with_spec_options
def train(
    context: typer.Context,
    corpus: Annotated[Path, typer.Argument(help="A text file, in any encoding.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the results; default: the text's name, without its ending."
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(help="A run's spec as a JSON file; options given besides override it."),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Continue from the directory's checkpoint, with its settings.")
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            help="Train with this many seeds, one after another, from --seed on. Each has a"
            " directory of its own in the directory of the results.",
            min=1,
            metavar="<int>",  # The name of a range would leave less space for the options.
        ),
    ] = 1,
    parameters: Annotated[
        Path | None,
        typer.Option(help="Start from the weights in this file, .npz or safetensors."),
    ] = None,
    measure_test: Annotated[
        bool,
        typer.Option(
            "--test",
            help="After the last update, measure the best model on the test part (see"
            " --test-fraction). A test part is for one measurement.",
        ),
    ] = False,
    leave_out_licence: Annotated[
        bool,
        typer.Option(
            "--leave-out-licence",
            help="Leave out the licence of Project Gutenberg at the start and the end of the text.",
        ),
    ] = False,
    **options: Any,  # noqa: ANN401 - the options of the spec
) -> None:
    """Train a network on a text file, without a browser."""
    given = {field for field in RunSpec.model_fields if _is_given(context, parameter_of(field))}
    values = spec_values(options)
    if spec is not None:
        values = _read_spec(spec) | {name: values.get(name) for name in given}
        given |= values.keys()
    requested = _checked(RunSpec, **values)
    out = out or default_output_directory(corpus)
    weights = None
    if parameters is not None:
        if resume:
            raise _wrong_usage("--parameters: the checkpoint that --resume continues has weights.")
        if seeds > 1:
            raise _wrong_usage("--parameters: a seed draws other weights; leave out --seeds.")
        weights = _read_weights(parameters)
    how = TrainOptions(
        weights=weights,
        resume=resume,
        leave_out_licence=leave_out_licence,
        measure_test=measure_test,
    )
    if seeds == 1:
        _train(corpus, requested, given, out, how)
    else:
        _train_seeds(corpus, requested, given, out, how, seeds)


def _train_seeds(
    corpus: Path, spec: RunSpec, given: set[str], out: Path, options: TrainOptions, seeds: int
) -> None:
    """Train with several seeds, each in "seed-N" in `out`, and print the spread of their losses."""
    smooth: list[float | None] = []
    validation: list[float | None] = []
    for seed in range(spec.seed, spec.seed + seeds):
        one = out / f"seed-{seed}"
        # Of an interrupted command, the later seeds have not begun.
        how = replace(options, resume=options.resume and (one / CHECKPOINT).exists())
        each = _checked(RunSpec, **spec.model_dump() | {"seed": seed})
        print(f"Seed {seed}, in {one}:")  # noqa: T201
        trainer = _train(corpus, each, given | {"seed"}, one, how).trainer
        smooth.append(trainer.best_smooth_loss)
        validation.append(trainer.best_validation_loss)
    for name, values in (("smooth", smooth), ("validation", validation)):
        known = [value for value in values if value is not None]
        if len(known) > 1:
            print(  # noqa: T201
                f"Lowest {name} loss: {mean(known):.3f} ± {stdev(known):.3f}"
                f" (mean and standard deviation of {len(known)} seeds)."
            )


def _read_weights(path: Path) -> GivenFile:
    try:
        with path.open("rb") as file:
            return GivenFile.read(file, path.name)
    except (ArrayFileError, ParametersError) as error:
        raise _failure(f"{path}: {error}") from error
    except OSError as error:
        raise _failure(f"{path}: {error.strerror}.") from error


def _read_spec(path: Path) -> dict[str, Any]:
    """Return the fields that a spec file sets; those that `train` does not use are named."""
    try:
        found = read_spec_file(path)
    except SpecFileError as error:
        raise _wrong_usage(str(error)) from error
    except OSError as error:
        raise _wrong_usage(f"{path}: {error.strerror}.") from error
    if found.unused:
        print(f"{path}: train does not use {', '.join(found.unused)}.", file=sys.stderr)  # noqa: T201
    return dict(found.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """The options of `train` that are not fields of the spec."""

    weights: GivenFile | None
    resume: bool
    leave_out_licence: bool
    measure_test: bool


def _train(
    corpus: Path, spec: RunSpec, given: set[str], out: Path, options: TrainOptions
) -> TrainingSession:
    if options.measure_test and not (options.resume or spec.test_fraction):
        raise _wrong_usage(f"{option_of('test_fraction')}: {NO_TEST_PART}")
    console = TrainingConsole()
    try:
        with with_filename(corpus):
            text = decode_text(corpus.read_bytes()).text
        text = _checked_for_licence(text, console, leave_out=options.leave_out_licence)
        with console.handle_signals():
            session = train_text(
                text,
                spec,
                given,
                out,
                weights=options.weights,
                resume=options.resume,
                console=console,
            )
            _print_outcome(session, console, out)
            if options.measure_test:
                _print_test(session, console)
            return session
    except SpecError as error:
        raise _wrong_usage(f"{option_of(error.field)}: {error.message}") from error
    except (NotTextError, ParametersError, TextTooShortError, TrainingError) as error:
        raise _failure(str(error)) from error
    except OSError as error:
        raise _failure(f"{error.filename or out}: {error.strerror}.") from error


def _checked_for_licence(text: str, console: TrainingConsole, *, leave_out: bool) -> str:
    """Return the text, without the licence of Project Gutenberg if it is to be left out."""
    licence = find_licence(text)
    if licence is None:
        if leave_out:
            console.console.print("The text has no licence of Project Gutenberg to leave out.")
        return text
    about = f"The licence of Project Gutenberg has {licence.size}"
    if not leave_out:
        console.console.print(f"{about}: --leave-out-licence leaves it out.", highlight=False)
        return text
    console.console.print(f"{about}: left out.", highlight=False)
    return without_licence(text, licence)


def _print_outcome(session: TrainingSession, console: TrainingConsole, out: Path) -> None:
    say, update = console.console.print, session.trainer.updates
    if console.stop_requested:
        say(f"Stopped at update {update:,}. To continue, repeat the command with --resume.")
        raise typer.Exit(STOPPED_BY_SIGNAL)
    if console.output_error is not None:
        raise _failure(
            f"Standard output: {console.output_error.strerror}; stopped at update {update:,}."
            " --resume continues from there."
        )
    if session.made_no_update:
        say(f"All {update:,} updates have already been made: set a higher number with --updates.")
    say(f"Done: {update:,} updates. {out / CHECKPOINT} and best.npz contain the network.")


def _print_test(session: TrainingSession, console: TrainingConsole) -> None:
    result = session.measure_test_part()
    by = "validation" if result.by == "validation" else "smooth loss"
    times = "" if result.times == 1 else f" It has been measured {result.times:,} times."
    console.console.print(
        f"Test part: {result.nats:.4f} nats per character ({result.bits:.4f} bits), the mean of"
        f" {result.characters:,} characters, with the best model by {by}, of update"
        f" {result.update:,}.{times}",
        highlight=False,
    )


@app.command()
@with_spec_options
def sweep(
    context: typer.Context,
    corpus: Annotated[
        Path | None, typer.Argument(help="A text file, in any encoding; default: the shipped text.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="A field and what it may be: hidden_size=50,100 or learning_rate=0.01..0.3:log.",
            show_default=False,
        ),
    ] = None,
    sampler: Annotated[str, typer.Option(help="One of grid, random, tpe.")] = "random",
    runs: Annotated[int, typer.Option(help="Configurations, at most.")] = 20,
    seeds: Annotated[int, typer.Option(help="Runs of each configuration.")] = 1,
    goal: Annotated[str, typer.Option(help="smooth_loss or validation_loss.")] = "smooth_loss",
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="Stop runs that fall behind the others.")
    ] = False,
    sampler_seed: Annotated[int, typer.Option(help="Seed of the sampler.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the sweep.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A sweep as a JSON file; options given besides override it.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue the newest sweep of the directory not yet ended."),
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of runs and texts.")] = None,
    **options: Any,  # noqa: ANN401 - the options of the spec
) -> None:
    """Train many networks whose settings differ, and find the best."""
    from server.commands.options.sweep_request import SweepOptionError, sweep_spec  # noqa: PLC0415
    from server.commands.sweep import SweepError, print_best, run_sweep  # noqa: PLC0415

    settings, console = _data_settings(data_dir), TrainingConsole()
    own = {
        "name": name,
        "sampler": sampler,
        "runs": runs,
        "seeds": seeds,
        "goal": goal,
        "stop_early": stop_early,
        "sampler_seed": sampler_seed,
    }
    given = {option: value for option, value in own.items() if _is_given(context, option)}
    fields = {
        field: value
        for field, value in spec_values(options).items()
        if _is_given(context, parameter_of(field))
    }
    if resume and (corpus is not None or file is not None or given or fields or vary):
        raise _wrong_usage("--resume: the sweep that it continues has its settings.")
    try:
        requested = None if resume else sweep_spec(file, given, fields, vary or [])
        with console.handle_signals():
            done = run_sweep(settings, corpus, requested, console)
    except SweepOptionError as error:
        raise _wrong_usage(str(error)) from error
    except SweepError as error:
        raise _failure(str(error)) from error
    print_best(done, console.console)
    if console.should_stop and done.state == "running":
        console.console.print("Stopped. To continue, repeat the command with --resume alone.")
        raise typer.Exit(STOPPED_BY_SIGNAL)
    if done.best is None or done.state == "paused":
        raise _failure(done.error or "No configuration made all its updates.")


@app.command()
def sample(
    checkpoint: Annotated[Path, typer.Argument(help="The file of a checkpoint or a model, .npz.")],
    length: Annotated[int, typer.Option(min=1, max=1_000_000, help="Characters to write.")] = 1_000,
    temperature: Annotated[
        float, typer.Option(min=0, help="0: always the most likely character.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Draw from this many of the most likely.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(min=1e-9, max=1, help="Draw from the most likely, up to this probability."),
    ] = None,
    prime: Annotated[str, typer.Option(help="Text to continue.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    latest: Annotated[
        bool, typer.Option("--latest", help="Use the latest model, not the best.")
    ] = False,
) -> None:
    """Write text with a saved network."""
    try:
        model, vocabulary = load_model(checkpoint, "latest" if latest else "best")
    except DamagedArchiveError as error:
        raise _failure(f"{error}.") from error
    except OSError as error:
        raise _failure(f"{checkpoint}: {error.strerror}.") from error
    known, unknown = vocabulary.split_known(prime)
    if unknown:
        named = ", ".join(repr(character) for character in unknown)
        message = f"The network does not know {named}: these characters are left out."
        print(message, file=sys.stderr)  # noqa: T201
    indices = generate(
        model,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        prime=vocabulary.encode(known) if known else None,
    )
    if (failure := write_result(vocabulary.decode(indices))) is not None:
        raise _failure(f"Standard output: {failure.strerror}.")


@app.command()
@with_toy_options
def toy(
    task: Annotated[TaskName, typer.Argument(help="The kind of text.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("toy.txt"),
    **options: Any,  # noqa: ANN401 - numbers and letters
) -> None:
    """Write a toy text, whose right answers show what a network remembers, for `train`."""
    given = {name: value for name, value in options.items() if value is not None}
    text = _checked(ToyText, task=task, **given)
    try:
        out.write_text(text.text(), encoding="utf-8", newline="\n")
    except OSError as error:
        raise _failure(f"{out}: {error.strerror}.") from error
    Console().print(f"Wrote {out}: {text.name}.", markup=False, highlight=False)


@app.command()
@with_check_options
def gradcheck(
    cell: Annotated[str, typer.Option(help=f"One of {', '.join(CELLS)}.")] = DEFAULT_CELL,
    **options: int,
) -> None:
    """Check the gradients against two numerical derivatives."""
    request = _checked(GradientCheckRequest, cell=cell, **options)
    check = check_gradients(**request.model_dump(include={"cell", *options}))
    print_gradient_check(check, Console())
    raise typer.Exit(0 if check.passed else 1)


@app.command()
@with_problem_options
def problem(
    cell: Annotated[str, typer.Option(help=f"One of {', '.join(CELLS)}.")] = DEFAULT_CELL,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path(PROBLEM_FILE),
    **options: int,
) -> None:
    """Write a problem: a small network whose gradients are to be computed."""
    request = _checked(ProblemRequest, cell=cell, **options)
    try:
        out.write_bytes(problem_file(make_problem(request.query)))
    except OSError as error:
        raise _failure(f"{out}: {error.strerror}.") from error
    Console().print(f"Wrote {out}.", markup=False)


@app.command()
def check(
    gradients: Annotated[Path, typer.Argument(help="The .npz file with your gradients.")],
    cell: Annotated[str | None, typer.Option(help="Of the problem.")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Of the problem.")] = None,
    sequence_length: Annotated[int | None, typer.Option(help="Of the problem.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the problem.")] = None,
    layers: Annotated[int | None, typer.Option(help="Of the problem.")] = None,
) -> None:
    """Check your gradients of a problem, and name the mistake.

    The problem is the one that the file names in "query", or the one in problem.npz beside it;
    options override it.
    """
    try:
        arrays, query = read_gradients(gradients)
        given = {
            "cell": cell,
            "hidden_size": hidden_size,
            "sequence_length": sequence_length,
            "seed": seed,
            "layers": layers,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if not query | given:
            raise _failure(
                f"{gradients}: Which problem is this? Keep {PROBLEM_FILE} beside the file, or give"
                " --cell, --hidden-size and the other options."
            )
        request = _checked(ProblemRequest, **query | given)
        answer = check_answer(request.query, arrays)
    except AnswerError as error:
        raise _failure(f"{gradients}: {error}") from error
    except OSError as error:
        raise _failure(f"{gradients}: {error.strerror}.") from error
    print_answer(request.query, answer, Console())
    raise typer.Exit(0 if answer["passed"] else 1)


@app.command()
def report(
    run: Annotated[
        str,
        typer.Argument(
            help="The id of a run in the data directory, or train's directory.",
            autocompletion=complete_run,
        ),
    ],
    format_name: Annotated[
        Literal["html", "md"],
        typer.Option("--format", help="One file for a browser, or a zip archive with Markdown."),
    ] = "html",
    out: Annotated[
        Path | None, typer.Option(help="The file; default: the current directory, named by RUN.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of runs and texts.")] = None,
    text: Annotated[
        Path | None, typer.Option(help="The text that was trained on, for train's directory.")
    ] = None,
) -> None:
    """Write the report of a run, to hand in."""
    settings = _data_settings(data_dir)
    # Imported here, as for `serve`.
    from server.commands.report import report_filename, write_report  # noqa: PLC0415
    from server.report.offline import RunNotFoundError  # noqa: PLC0415

    out = out or report_filename(run, format_name)
    try:
        write_report(run, format_name, out, data_dir=settings.data_dir, text=text)
    except (RunNotFoundError, NotTextError) as error:
        raise _failure(str(error)) from error
    except OSError as error:
        raise _failure(f"{error.filename or out}: {error.strerror}.") from error
    print(f"The report is in {out}.")  # noqa: T201


@app.command()
def export(
    run: Annotated[
        str,
        typer.Argument(help="The id of a run in the data directory.", autocompletion=complete_run),
    ],
    file: Annotated[Path, typer.Argument(help="The file to write, NAME.hurrah.")],
    data_dir: Annotated[Path | None, typer.Option(help="Directory of runs and texts.")] = None,
    text: Annotated[bool, typer.Option(help="Whether to include the text.")] = True,
) -> None:
    """Write a whole run to one file, also while a server uses it."""
    settings = _data_settings(data_dir)
    # Imported here: the other commands start faster without the database.
    from server.commands.transfer import TransferError, export_to_file  # noqa: PLC0415

    try:
        size = export_to_file(settings.data_dir, run, file, with_text=text)
    except TransferError as error:
        raise _failure(str(error)) from error
    print(f"{file} contains the run: {size:,} bytes.")  # noqa: T201


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="The file of a run, NAME.hurrah.")],
    data_dir: Annotated[Path | None, typer.Option(help="Directory of runs and texts.")] = None,
    text: Annotated[
        Path | None, typer.Option(help="The text of the run, if the file does not contain it.")
    ] = None,
) -> None:
    """Add an exported run to the data directory, while no server uses it."""
    settings = _data_settings(data_dir)
    from server.commands.transfer import TransferError, import_from_file  # noqa: PLC0415

    try:
        run = import_from_file(settings, file, text)
    except TransferError as error:
        raise _failure(str(error)) from error
    name = without_controls(run.name)
    print(f"“{name}” was imported at update {run.update:,}: its id is {run.id}.")  # noqa: T201


@app.command()
def doctor(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of runs and texts.")] = None,
) -> None:
    """Show what is installed, and whether the server could start."""
    options = {"host": host, "port": port, "data_dir": data_dir}
    given = {name: value for name, value in options.items() if value is not None}
    settings = _checked(Settings, **given)
    # Imported here, as for `serve`.
    from server.commands.doctor import examine, print_findings  # noqa: PLC0415

    can_start = print_findings(list(examine(settings)), Console(highlight=False))
    raise typer.Exit(0 if can_start else 1)


def _data_settings(data_dir: Path | None) -> Settings:
    return _checked(Settings, **({} if data_dir is None else {"data_dir": data_dir}))


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
            message = message.replace("Input should be", "must be")
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
    _print_error(message)
    return typer.Exit(WRONG_USAGE)


def _failure(message: str) -> typer.Exit:
    _print_error(message)
    return typer.Exit(1)


def _print_error(message: str) -> None:
    """Print one line; it may quote a file, which must not control the terminal."""
    print(without_controls(message[:MAX_ERROR_CHARACTERS]), file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    app()
