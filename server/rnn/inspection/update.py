"""One update of a trainer, taken apart: loss, gradient, clipping, and the optimizer's step."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.inspection.unrolled import Unrolled, unroll
from server.rnn.network import Network
from server.rnn.optimizers.clipping import CLIP_MODES
from server.rnn.parameters import Array, Parameters, Shape
from server.rnn.training.trainer import NextBatch, Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterUpdate:
    """The update of one parameter. All but its name and shape are Euclidean norms.

    Attributes
    ----------
    name : str
    shape : tuple of int
    gradient, clipped : float
        Of the gradient, before and after clipping.
    step : float
        Of what the optimizer added.
    value : float
        Of the parameter before the update.
    """

    name: str
    shape: Shape
    gradient: float
    clipped: float
    step: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberUpdate:
    """The update of one number.

    Attributes
    ----------
    parameter : str
        The parameter that it belongs to.
    index : tuple of int
        Its place there, from 0.
    value, gradient, clipped, step : float
        The number before the update, its gradient before and after clipping, and what the optimizer
        added to it.
    """

    parameter: str
    index: tuple[int, ...]
    value: float
    gradient: float
    clipped: float
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateDetails:
    """An update that a trainer has made.

    Attributes
    ----------
    batch : NextBatch
        All that it read.
    unrolled : Unrolled
        The first stream.
    loss : float
        The loss of the update, in nats, summed over the sequence and averaged over the streams.
    loss_after : float
        That of the same sequences, from the same states and with the same dropout masks, with the
        parameters after the update.
    losses_after : ndarray of float64, shape (T,)
        The loss of each step of the first stream with the parameters after the update.
    clipped_numbers : int
        How many numbers of the gradient clipping changed.
    total : ParameterUpdate
        Of all parameters as one vector, without a name.
    parameters : list of ParameterUpdate
        Of each.
    number : NumberUpdate
        The number of the first layer's W whose gradient is the greatest.
    """

    batch: NextBatch
    unrolled: Unrolled
    loss: float
    loss_after: float
    losses_after: NDArray[np.float64]
    clipped_numbers: int
    total: ParameterUpdate
    parameters: list[ParameterUpdate]
    number: NumberUpdate


@np.errstate(all="ignore")
def make_update(trainer: Trainer, steps: int) -> UpdateDetails:
    """Make a trainer's next update, and return its details.

    Parameters
    ----------
    trainer : Trainer
        It is one update further afterwards.
    steps : int
        How many steps to unroll, at least 1.
    """
    batch, model = trainer.next_batch(), trainer.current_model()
    T, B = batch.x.shape
    unrolled = unroll(
        model, batch.x[:, 0], batch.y[:, 0], masks=[mask[:, 0] for mask in batch.masks], steps=steps
    )
    sizes = model.architecture
    network = Network(
        sizes.vocabulary_size,
        sizes.hidden_size,
        T,
        model.dtype,
        cell=sizes.cell,
        layers=sizes.layers,
        batch_size=B,
        parameters=trainer.parameters,
    )
    for name, view in network.state.items():
        view[:] = batch.state[name]
    network.set_masks(batch.masks)
    loss = float(network.forward(batch.x, batch.y))
    network.backward()
    gradients, before = network.gradients, trainer.parameters.copy()
    clipped = gradients.copy()
    clip = trainer.settings.clip
    if clip is not None:
        CLIP_MODES[trainer.settings.clip_mode](clipped.flat, clip)
    trainer.update()
    steps_made = before.like(trainer.parameters.flat - before.flat)
    loss_after = float(network.forward(batch.x, batch.y))
    parts = (gradients, clipped, steps_made, before)
    return UpdateDetails(
        batch=batch,
        unrolled=unrolled,
        loss=loss,
        loss_after=loss_after,
        losses_after=network.losses.reshape(T, B)[:, 0].astype(np.float64),
        clipped_numbers=int(np.count_nonzero(clipped.flat != gradients.flat)),
        total=_norms("", [part.flat for part in parts]),
        parameters=[_norms(name, [part[name] for part in parts]) for name in gradients],
        number=_number(sizes.name("W", 0), parts),
    )


def _norms(name: str, arrays: list[Array]) -> ParameterUpdate:
    # In float32 the squares of large gradients overflow.
    norms = [math.sqrt(float(np.square(array, dtype=np.float64).sum())) for array in arrays]
    gradient, clipped, step, value = norms
    return ParameterUpdate(
        name=name,
        shape=arrays[0].shape,
        gradient=gradient,
        clipped=clipped,
        step=step,
        value=value,
    )


def _number(name: str, parts: tuple[Parameters, ...]) -> NumberUpdate:
    size = np.nan_to_num(np.abs(parts[0][name]))
    index = tuple(map(int, np.unravel_index(int(size.argmax()), size.shape)))
    gradient, clipped, step, value = (float(part[name][index]) for part in parts)
    return NumberUpdate(
        parameter=name, index=index, value=value, gradient=gradient, clipped=clipped, step=step
    )
