"""A cell: all that the rest of the program must know about one kind of recurrence."""

from dataclasses import dataclass
from types import ModuleType

from server.rnn.cells.layer import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind of recurrence.

    To add a cell, write one module with its layer and its `Cell`, and one with its definition, and
    add the `Cell` to `server.rnn.cells.CELLS`.

    Attributes
    ----------
    name : str
        The name in specs and checkpoints.
    label : str
        The name that people read.
    gates : int
        U, W and b have `gates` blocks of m rows.
    gate_names : tuple of str
        What people call each of these blocks; empty if there is only one.
    states : tuple of str
        The symbols of the vectors of m numbers that one step passes to the next. The first is h,
        which the layer above and the output read.
    extra_parameters : tuple of str
        The symbols of further parameters of each layer, besides U, W and b: vectors of m numbers.
    initial_biases : tuple of float
        The value that b starts from, one for each gate; empty if b starts from 0.
    layer : type of Layer
        The forward and backward pass.
    single_stream_layer : type of Layer or None
        A faster layer that replaces `layer` where one stream of characters is read.
    reference : module
        The definition that the gradient check compares `layer` with: `STATES`, `forward` and
        `backward`, as in `server.rnn.reference.vanilla`. It shares no code with `layer`. Its
        `forward` is analytic in every parameter, because the complex-step derivative calls it with
        complex numbers, and accepts vectors with further axes before their own.
    """

    name: str
    label: str
    gates: int
    gate_names: tuple[str, ...] = ()
    states: tuple[str, ...] = ("h",)
    extra_parameters: tuple[str, ...] = ()
    initial_biases: tuple[float, ...] = ()
    layer: type[Layer]
    single_stream_layer: type[Layer] | None = None
    reference: ModuleType

    def layer_class(self, number: int, streams: int) -> type[Layer]:
        """Return the class of a network's layer.

        Parameters
        ----------
        number : int
            The layer, counted from 0, the one that reads characters.
        streams : int
            B.
        """
        if number == 0 and streams == 1 and self.single_stream_layer is not None:
            return self.single_stream_layer
        return self.layer
