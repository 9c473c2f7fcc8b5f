"""The optimizers, each a few passes over the flat buffer, without allocating memory."""

from server.rnn.optimizers.adagrad import AdaGrad
from server.rnn.optimizers.adam import Adam
from server.rnn.optimizers.base import BLOCK, Optimizer
from server.rnn.optimizers.rmsprop import RMSProp
from server.rnn.optimizers.sgd import SGD
from server.rnn.parameters import Array

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adagrad": AdaGrad,
    "adam": Adam,
    "rmsprop": RMSProp,
    "sgd": SGD,
}

# The default learning rate of each optimizer.
LEARNING_RATES: dict[str, float] = {
    "adagrad": 0.1,
    "adam": 0.002,
    "rmsprop": 0.002,
    "sgd": 0.1,
}


def make_optimizer(name: str, parameters: Array, gradients: Array) -> Optimizer:
    """Return the optimizer `name` for `parameters`.

    Parameters
    ----------
    name : str
        A name in `OPTIMIZERS`.
    parameters, gradients : ndarray of shape (size,)
        The flat buffers, both contiguous and of the same type. `gradients` is read at every step.

    Returns
    -------
    Optimizer
    """
    return OPTIMIZERS[name](parameters, gradients)


__all__ = [
    "BLOCK",
    "LEARNING_RATES",
    "OPTIMIZERS",
    "SGD",
    "AdaGrad",
    "Adam",
    "Optimizer",
    "RMSProp",
    "make_optimizer",
]
