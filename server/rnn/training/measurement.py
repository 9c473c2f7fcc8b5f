"""The measurement of an update: what the metrics need, kept from the gradients to the step."""

import numpy as np
from numpy.typing import NDArray

from server.rnn.metrics import METRICS, MetricValues, Training, Update
from server.rnn.network import Network


class Measurement:
    """Measures single updates of a network. Updates that are not measured cost nothing.

    Parameters
    ----------
    network : Network
        The network that learns.
    training : Training
        What the metrics may know besides.
    """

    def __init__(self, network: Network, training: Training) -> None:
        self._network = network
        self._training = training
        self._metrics = [metric for metric in METRICS.values() if metric.applies(training)]
        self._gradients = network.gradients.like()
        self._before = network.parameters.like()

    def begin(self) -> None:
        """Keep the gradients, which clipping changes, and the parameters, which the step does."""
        np.copyto(self._gradients.flat, self._network.gradients.flat)
        np.copyto(self._before.flat, self._network.parameters.flat)

    def end(
        self,
        *,
        number: int,
        loss: float,
        learning_rate: float,
        positions: list[int],
        x: NDArray[np.intp],
        y: NDArray[np.intp],
    ) -> MetricValues:
        """Return the values of the metrics that apply; call this after the step.

        The parameters are those of `Update`.
        """
        network = self._network
        update = Update(
            training=self._training,
            number=number,
            loss=loss,
            learning_rate=learning_rate,
            gradients=self._gradients,
            before=self._before,
            after=network.parameters,
            positions=positions,
            x=x,
            y=y,
            likeliest=network.likeliest,
            losses=network.losses.reshape(x.shape),
        )
        return {metric.name: float(metric.measure(update)) for metric in self._metrics}
