"""A run that is never disturbed, computed with the network's own code."""

from collections import defaultdict

import numpy as np

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.metrics import measured_updates
from server.rnn.vocabulary import Vocabulary
from server.spec.sample_schedule import next_sample


class Undisturbed:
    """A trainer of a run, and everything that the run records up to its update."""

    def __init__(self, text, spec):
        self._spec = spec
        self._vocabulary = Vocabulary.from_text(text)
        self.trainer = new_trainer(self._vocabulary.encode(text), self._vocabulary, spec)
        self.losses, self.smooth_losses = [], []
        # The values of each metric, at the updates that are measured.
        self.metrics = defaultdict(list)
        # Epochs by the update at which they began; samples by the update after which they were
        # written.
        self.epochs, self.samples = {}, {}
        self._write()

    def train_to(self, update):
        trainer = self.trainer
        while trainer.updates < update:
            epoch = trainer.epoch
            self.losses.append(trainer.update())
            self.smooth_losses.append(trainer.smooth_loss)
            for name, value in trainer.metrics.items():
                self.metrics[name].append(value)
            if trainer.epoch != epoch:
                self.epochs[trainer.updates] = trainer.epoch
            every, last = self._spec["sample_every"], self._spec["max_updates"]
            if trainer.updates in {last, next_sample(trainer.updates - 1, every)}:
                self._write()

    def _write(self):
        trainer = self.trainer
        if self._spec["validation_fraction"]:
            trainer.validate()
        written = trainer.sample(self._spec["sample_length"])
        self.samples[trainer.updates] = self._vocabulary.decode(written)


class ReferenceRun:
    """A run of a spec that trains in this process, up to the update that is needed.

    What it has recorded is not trained again for an earlier update. A checkpoint needs the
    network's parameters at its update; a second trainer goes from one checkpoint to the next.
    """

    def __init__(self, text, spec):
        self._text, self._spec = text, spec
        self._longest = self._new()
        self._at_checkpoint = None
        self._update = 0

    def _new(self):
        return Undisturbed(self._text, self._spec)

    def train_to(self, update):
        """Train up to an update, or go back to it."""
        self._longest.train_to(update)
        self._update = update
        return self

    @property
    def losses(self):
        return self._longest.losses[: self._update]

    @property
    def smooth_losses(self):
        return self._longest.smooth_losses[: self._update]

    @property
    def metrics(self):
        count = len(measured_updates(1, self._update))
        return {name: values[:count] for name, values in self._longest.metrics.items()}

    @property
    def epochs(self):
        return self._until_now(self._longest.epochs)

    @property
    def samples(self):
        return self._until_now(self._longest.samples)

    def _until_now(self, marks):
        return {update: mark for update, mark in marks.items() if update <= self._update}

    def assert_equal(self, arrays, meta):
        """Check that a checkpoint equals this run at its update, byte for byte."""
        scalars = meta["trainer"]
        update = scalars["updates"]
        run = self._at_checkpoint
        if run is None or run.trainer.updates > update:
            run = self._at_checkpoint = self._new()
        run.train_to(update)
        own_arrays, own_scalars = run.trainer.state()
        assert scalars == own_scalars
        carried = {name: array for name, array in arrays.items() if name.startswith("unflushed.")}
        assert set(arrays) - set(carried) == set(own_arrays)
        for name, array in own_arrays.items():
            assert arrays[name].tobytes() == array.tobytes(), name
        if (unflushed := meta.get("unflushed")) is not None:
            first = unflushed["first"]
            assert np.array_equal(carried.pop("unflushed.losses"), run.losses[first - 1 :])
            before = len(measured_updates(1, first - 1))
            for name, values in carried.items():
                known = run.metrics[name.removeprefix("unflushed.metrics.")]
                assert np.array_equal(values, known[before:]), name
