"""The measurement of an update: what the metrics need, from the gradients to the step."""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from server.rnn.metrics import METRICS, MetricValues, Training, Update
from server.rnn.threaded_network import AnyNetwork
from server.rnn.training.batches import BatchIterator


class Measurement:
    """Measures single updates of a network. Updates that are not measured cost nothing.

    Parameters
    ----------
    training : Training
        What the metrics may know besides the update.
    network : Network or ThreadedNetwork
        The network that learns.
    batches : BatchIterator
        The text that it reads.
    kernel : module or None
        Compiled code, if the network uses it; None: NumPy.
    """

    def __init__(
        self,
        training: Training,
        network: AnyNetwork,
        batches: BatchIterator,
        kernel: ModuleType | None,
    ) -> None:
        self._training = training
        self._network = network
        self._batches = batches
        self._kernel = kernel
        self._metrics = [metric for metric in METRICS.values() if metric.applies(training)]
        self._step = network.parameters.like()
        self._values: MetricValues = {}

    def begin(
        self,
        *,
        number: int,
        loss: float,
        learning_rate: float,
        x: NDArray[np.intp],
        y: NDArray[np.intp],
    ) -> Update:
        """Measure what must be measured before clipping, and keep the parameters.

        Parameters
        ----------
        number, loss, learning_rate, x, y
            As in `Update`.

        Returns
        -------
        Update
            For `end`.
        """
        update = Update(
            self._training,
            self._network,
            self._batches,
            self._kernel,
            step=self._step,
            number=number,
            loss=loss,
            learning_rate=learning_rate,
            x=x,
            y=y,
        )
        self._values = {}
        self._measure(update, before_clipping=True)
        np.copyto(self._step.flat, self._network.parameters.flat)
        return update

    def end(self, update: Update) -> MetricValues:
        """Measure the rest, after the step; return the values of all metrics that apply."""
        step = self._step.flat
        np.subtract(self._network.parameters.flat, step, step)
        self._measure(update, before_clipping=False)
        return {metric.name: self._values[metric.name] for metric in self._metrics}

    def _measure(self, update: Update, *, before_clipping: bool) -> None:
        for metric in self._metrics:
            if metric.before_clipping == before_clipping:
                self._values[metric.name] = float(metric.measure(update))
