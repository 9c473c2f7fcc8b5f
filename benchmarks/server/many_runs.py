"""A data directory with many runs, as a class or a sweep leaves it, written without training.

Each run has a history of losses, some samples and a checkpoint. Their curves fall like those of
trained runs, at different speeds and to different levels; the texts are cut from the shipped book.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.checkpoint_format import checkpoint_contents, new_trainer
from server.checkpoints.npz import write_archive
from server.checkpoints.unflushed import ARRAY
from server.corpora.library import CorpusLibrary
from server.corpora.quality import Quality
from server.files.run_directories import RUNS, RunDirectories
from server.history.run_history import Records
from server.installation import CORPORA
from server.rnn.vocabulary import Vocabulary
from server.runs.supervisor import DATABASE
from server.spec.run_draft import draft_run
from server.spec.run_spec import RunSpec
from server.spec.schemas import Best, Checkpoint, Run, RunState, Sample
from server.store.database import Store

__all__ = ["UPDATES", "create_runs"]

UPDATES = 2_000
SAMPLES_AT = (0, 100, 1_000, UPDATES)
SAMPLE_CHARACTERS = 200
MAX_NETWORK_BYTES = 2**30
CELLS = ("rnn", "gru", "lstm")
HIDDEN_SIZES = (32, 64, 100)
STATES = (RunState.FINISHED, RunState.STOPPED, RunState.PAUSED, RunState.FINISHED)
START = datetime(2026, 1, 1, tzinfo=UTC)


def create_runs(data_dir: Path, count: int, *, sweeps: int = 20) -> list[str]:
    """Create runs in an empty data directory.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory.
    count : int
        How many runs.
    sweeps : int
        How many consecutive runs have the same name.

    Returns
    -------
    list of str
        The ids of the runs, oldest first.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    library = CorpusLibrary(CORPORA, data_dir)
    directories = RunDirectories(data_dir / RUNS)
    random = np.random.default_rng(0)
    files: dict[str, Path] = {}
    runs = []
    store = Store(data_dir / DATABASE)
    try:
        for number in range(count):
            spec = RunSpec(
                name=f"sweep {number // sweeps + 1}",
                cell=CELLS[number % len(CELLS)],
                hidden_size=HIDDEN_SIZES[number // len(CELLS) % len(HIDDEN_SIZES)],
                seed=number,
                max_updates=UPDATES,
                watch_words=[],
            )
            run = draft_run(spec, library, MAX_NETWORK_BYTES)
            created = (START + timedelta(minutes=number)).isoformat(timespec="milliseconds")
            run = run.model_copy(update={"created_at": created})
            directories.create(run.id)
            text = library.path(run.corpus).read_text(encoding="utf-8")
            _write(store, run, random, text)
            run.state = STATES[number % len(STATES)]
            if run.state is not RunState.PAUSED:  # It would go back to the checkpoint's losses.
                directory = directories.checkpoints(run.id)
                store.add_checkpoint(run.id, _add_checkpoint(directory, run, text, files))
            store.save_run(run.id, run.model_dump_json())
            runs.append(run.id)
    finally:
        store.close()
    return runs


def _write(store: Store, run: Run, random: np.random.Generator, text: str) -> None:
    """Add a run with its history and its samples; its progress is set."""
    losses = fake_losses(random, UPDATES)
    run.update, run.loss = UPDATES, float(losses[-1])
    run.position = UPDATES * run.spec.sequence_length % run.corpus_characters
    run.smooth_loss = float(losses[-200:].mean())
    run.best = Best(update=UPDATES, smooth_loss=run.smooth_loss)
    run.seconds = UPDATES / 8_000
    store.add_run(run.id, run.model_dump_json())
    store.add_report(run.id, run.model_dump_json(), Records(1, losses), [])
    for update in SAMPLES_AT:
        store.add_sample(run.id, fake_sample(random, text, update))


def fake_losses(random: np.random.Generator, updates: int) -> NDArray[np.float64]:
    """Return losses that fall from 110 nats to somewhere between 45 and 80."""
    end, rate = random.uniform(45, 80), random.uniform(2, 8)
    falling = end + (110 - end) * np.exp(-rate * np.arange(updates) / updates)
    losses: NDArray[np.float64] = falling + random.normal(0, 5, updates)
    return losses


def fake_sample(random: np.random.Generator, text: str, update: int) -> Sample:
    """Return a sample whose text is cut from a book."""
    start = int(random.integers(0, len(text) - SAMPLE_CHARACTERS))
    return Sample(
        update=update,
        epoch=1,
        smooth_loss=60.0 if update else None,
        text=text[start : start + SAMPLE_CHARACTERS],
        quality=Quality(real_words=0.5, longest_real_run=3, longest_copy=9),
    )


def _add_checkpoint(directory: Path, run: Run, text: str, files: dict[str, Path]) -> Checkpoint:
    """Write a checkpoint, or link to that of another run with the same network."""
    key = f"{run.spec.cell} {run.spec.hidden_size}"
    if key not in files:
        files[key] = _write_checkpoint(directory, run, text)
    else:
        os.link(files[key], directory / files[key].name)
    return Checkpoint(
        id=files[key].stem,
        update=run.update,
        smooth_loss=run.smooth_loss,
        note=None,
        bytes=files[key].stat().st_size,
        created_at=run.created_at,
        automatic=True,
    )


def _write_checkpoint(directory: Path, run: Run, text: str) -> Path:
    """Write a checkpoint of a network after one update, with the counters of the run."""
    vocabulary = Vocabulary.from_text(text)
    spec = run.spec.model_dump(mode="json")
    trainer = new_trainer(vocabulary.encode(text), vocabulary, spec)
    trainer.update()
    arrays, meta = checkpoint_contents(trainer, vocabulary, spec)
    meta["trainer"] |= {"updates": run.update, "position": run.position}
    identity = secrets.token_hex(6)
    nothing = {"first": run.update + 1, "last": run.update, "samples": [], "epochs": []}
    meta["unflushed"] = nothing | {"notices": [], "seconds": run.seconds}
    meta["about"] = {"id": identity, "note": None, "automatic": True}
    path = directory / f"{identity}.npz"
    write_archive(path, arrays | {ARRAY: np.empty(0)}, meta, durable=False)
    return path
