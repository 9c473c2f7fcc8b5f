"""A run that is never disturbed, computed with the network's own code."""

from collections import defaultdict

import numpy as np

from server.checkpoints.checkpoint_format import new_trainer
from server.rnn.metrics import measured_updates
from server.rnn.vocabulary import Vocabulary
from server.spec.sample_schedule import next_sample


class ReferenceRun:
    """A run of a spec that trains in this process, up to the update that is needed."""

    def __init__(self, text, spec):
        self._text, self._spec = text, spec
        self._vocabulary = Vocabulary.from_text(text)
        self._begin()

    def _begin(self):
        indices = self._vocabulary.encode(self._text)
        self._trainer = new_trainer(indices, self._vocabulary, self._spec)
        self.losses, self.smooth_losses = [], []
        # The values of each metric, at the updates that are measured.
        self.metrics = defaultdict(list)
        # Epochs by the update at which they began; samples by the update after which they were
        # written.
        self.epochs, self.samples = {}, {}
        self._write()

    def train_to(self, update):
        """Train up to an update; start again if it has passed."""
        if update < self._trainer.updates:
            self._begin()
        trainer = self._trainer
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
        return self

    def _write(self):
        trainer = self._trainer
        if self._spec["validation_fraction"]:
            trainer.validate()
        written = trainer.sample(self._spec["sample_length"])
        self.samples[trainer.updates] = self._vocabulary.decode(written)

    def assert_equal(self, arrays, meta):
        """Check that a checkpoint equals this run at its update, byte for byte."""
        scalars = meta["trainer"]
        own_arrays, own_scalars = self.train_to(scalars["updates"])._trainer.state()
        assert scalars == own_scalars
        carried = {name: array for name, array in arrays.items() if name.startswith("unflushed.")}
        assert set(arrays) - set(carried) == set(own_arrays)
        for name, array in own_arrays.items():
            assert arrays[name].tobytes() == array.tobytes(), name
        if (unflushed := meta.get("unflushed")) is not None:
            first = unflushed["first"]
            assert np.array_equal(carried.pop("unflushed.losses"), self.losses[first - 1 :])
            before = len(measured_updates(1, first - 1))
            for name, values in carried.items():
                known = self.metrics[name.removeprefix("unflushed.metrics.")]
                assert np.array_equal(values, known[before:]), name
