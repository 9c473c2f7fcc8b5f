"""The spec, the text, the environment and the command of a report, as tables and sentences."""

from __future__ import annotations

import platform
import shlex
from typing import Any

import numpy as np

from server import __version__
from server.corpora.library import Corpus
from server.report.content import Row
from server.rnn.optimizers import OPTIMIZERS
from server.rnn.training.divergence import NOTICE
from server.spec.description import default_of, option_of
from server.spec.run_spec import SPEC_FIELDS, RunSpec
from server.spec.schemas import Milestone, Run

__all__ = [
    "changes_of_settings",
    "command_notes",
    "corpus_rows",
    "environment_rows",
    "key_figures",
    "setting_rows",
    "summary_of",
    "training_command",
]

NOT_SHOWN = {"corpus", "name", "paused"}
# They have no effect on what is learned.
NOT_REPEATED = {"checkpoint_every_s"}


def summary_of(run: Run) -> str:
    """Return the run in one sentence."""
    spec = run.spec
    layers = "" if spec.layers == 1 else f"{spec.layers} layers of "
    epochs = run.update / run.updates_per_epoch
    length = f"{epochs:.1f} epochs" if run.update >= run.updates_per_epoch else "part of an epoch"
    return (
        f"{spec.cell.upper()}, {layers}{spec.hidden_size:,} hidden units,"
        f" {OPTIMIZERS[spec.optimizer].LABEL}; {run.update:,} updates, {length} of"
        f" {run.corpus_name}."
    )


def key_figures(run: Run) -> list[Row]:
    """Return the most important numbers of a run."""
    best = run.best
    rows: list[Row] = [
        ("updates", f"{run.update:,}"),
        ("epochs", f"{run.update / run.updates_per_epoch:.1f}"),
        ("parameters", f"{run.parameters:,}"),
        ("lowest smooth loss", "–" if best is None else f"{best.smooth_loss:.2f}"),
    ]
    if run.test is not None:
        rows.append(("loss on the test part", f"{run.test.nats:.3f} nats per character"))
    return rows


def setting_rows(run: Run) -> list[Row]:
    """Return the label and the value of each setting, and the origin of given weights."""
    spec, weights = run.spec, run.given_weights
    # No weights were drawn.
    hidden = NOT_SHOWN if weights is None else {*NOT_SHOWN, "init_scale"}
    rows = [
        (SPEC_FIELDS[name].label, _in_words(name, getattr(spec, name)))
        for name in SPEC_FIELDS
        if name not in hidden
    ]
    if weights is not None:
        rows.append(
            ("Weights at update 0", " ".join([f"given: {weights.file}.", *weights.remarks]))
        )
    return rows


def corpus_rows(run: Run, corpus: Corpus | None, sha256: str | None) -> list[Row]:
    """Return the figures of the text."""
    rows: list[Row] = [("Name", run.corpus_name)]
    if corpus is not None:
        entropy = corpus.entropy
        rows += [
            ("Characters", f"{corpus.characters:,}"),
            ("Distinct characters, K", f"{corpus.distinct:,}"),
            ("Words", f"{corpus.words:,}"),
            ("Entropy, all characters equally likely", f"{entropy.uniform:.3f} nats per character"),
            ("Entropy, by frequency", f"{entropy.unigram:.3f} nats per character"),
            ("Entropy, given the character before", f"{entropy.bigram:.3f} nats per character"),
        ]
        if corpus.licence:
            rows.append(("Licence", corpus.licence))
        if corpus.repairs:
            rows.append(("Repairs", "; ".join(corpus.repairs)))
    if sha256 is not None:
        rows.append(("SHA-256 of the text in UTF-8", sha256))
    return rows


def environment_rows(run: Run) -> list[Row]:
    """Return the versions that made this report."""
    return [
        ("Run", run.id),
        ("Created", run.created_at),
        ("Hurrah", __version__),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("System", f"{platform.system()} on {platform.machine()}"),
    ]


def training_command(run: Run, text: str) -> str:
    """Return the command that repeats the training.

    Parameters
    ----------
    run : Run
        The run.
    text : str
        The name of the text's file.
    """
    words = ["python", "-m", "server", "train", text, "--out", "again"]
    if run.given_weights is not None:
        words += ["--parameters", run.given_weights.file]
    spec = run.spec.model_copy(update={"max_updates": max(1, run.update)})
    for name, about in SPEC_FIELDS.items():
        value = getattr(spec, name)
        is_option = about.command_line == "option" and name not in NOT_REPEATED
        if is_option and value != _default(spec, name):
            words += [option_of(name), "0" if value is None else str(value)]
    return shlex.join(words)


def command_notes(run: Run, milestones: list[Milestone], *, sha256: str | None) -> list[str]:
    """Return what the command needs, and what it cannot repeat.

    Parameters
    ----------
    run : Run
        The run.
    milestones : list of Milestone
        Its milestones.
    sha256 : str or None
        That of the text, if the command does not name the text's file.
    """
    notes = []
    if sha256 is not None:
        notes.append("CORPUS.txt stands for the text with the SHA-256 above.")
    if run.given_weights is not None:
        notes.append(
            f"The run started from given weights; the command needs {run.given_weights.file}."
        )
    if not run.update:
        notes.append("The run has made no update yet; the command makes one.")
    if run.forked_from is not None:
        notes.append(
            f"The run was forked at update {run.forked_from.update:,} from another one; the command"
            " trains from the start with the settings of the fork."
        )
    if changes_of_settings(milestones):
        notes.append(
            "Settings were changed during the training; the command uses the last ones from the"
            " start."
        )
    return notes


def changes_of_settings(milestones: list[Milestone]) -> list[Milestone]:
    """Return the changes that the operator made; the notice of a divergence is not one."""
    return [
        each for each in milestones if each.kind == "change" and not each.text.startswith(NOTICE)
    ]


def _default(spec: RunSpec, name: str) -> object:
    about = SPEC_FIELDS[name]
    if about.default_by is not None:
        return about.default_by.defaults[getattr(spec, about.default_by.field)]
    return default_of(name)


def _in_words(name: str, value: Any) -> str:  # noqa: ANN401 - as many types as there are fields
    about = SPEC_FIELDS[name]
    if value is None:
        return about.null.label if about.null is not None else "none"
    if about.choices is not None and value in (choices := about.choices()):
        return str(choices[value])
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if about.display == "share":
        return f"{value:.0%}"
    if about.display == "seconds":
        return f"{value:g} s"
    return (
        f"{value:g}" if isinstance(value, float) else f"{value:,}" if name != "seed" else str(value)
    )
