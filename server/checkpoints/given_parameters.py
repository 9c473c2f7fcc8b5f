"""Parameters from a file of one's own: which network they are, in whatever names and layout.

The names of the course, of docs/weights.md and of the usual loops are recognised, and matrices that
multiply row vectors are transposed. Everything that is done to the arrays is said in a sentence, so
that a wrong guess is seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.array_files import ArrayFile
from server.checkpoints.npz import Arrays
from server.rnn.architecture import MAX_LAYERS, Architecture
from server.rnn.cells import CELLS
from server.rnn.cells.cell import Cell
from server.rnn.training.trainer import Trainer
from server.rnn.vocabulary import Vocabulary

__all__ = ["GivenParameters", "ParameterSource", "ParametersError", "recognise_parameters"]

PREFIX = "parameters."
# The names of each symbol; underscores make no difference.
NAMES = {
    "U": ("U", "Wxh", "Wih", "Wx"),
    "W": ("W", "Whh", "Wh"),
    "b": ("b", "bh"),
    "V": ("V", "Why", "Who", "Wy"),
    "c": ("c", "by", "bo"),
}
ALIASES = {name: symbol for symbol, names in NAMES.items() for name in names} | {
    symbol: symbol for cell in CELLS.values() for symbol in cell.extra_parameters
}
NAME = re.compile(r"([A-Za-z]+?)([1-9]?)")
OUTPUT = ("V", "c")
# Arrays or keys of the description that name the characters in the order of their indices.
VOCABULARY = ("vocabulary", "characters", "chars", "vocab", "book_chars")
MAX_NAMED = 12
LARGEST_NAMED = 60


class ParametersError(ValueError):
    """The parameters cannot be used; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ParameterSource:
    """Where a parameter comes from: `source` is its name in the file, `transposed` how it is."""

    name: str
    source: str
    shape: tuple[int, ...]
    transposed: bool


@dataclass(frozen=True, slots=True)
class GivenParameters:
    """The parameters of a network, in the names and shapes of its architecture.

    Attributes
    ----------
    architecture : Architecture
        The network.
    arrays : dict of str to ndarray of float
        All parameters, finite.
    sources : list of ParameterSource
        The arrays of the file.
    characters : list of str or None
        The characters that the file names, in the order of their indices.
    remarks : list of str
        What was done to the file's arrays, in sentences.
    """

    architecture: Architecture
    arrays: Arrays
    sources: list[ParameterSource]
    characters: list[str] | None
    remarks: list[str]

    def for_vocabulary(self, vocabulary: Vocabulary) -> GivenParameters:
        """Return the same parameters in the order of a text's characters.

        Raises
        ------
        ParametersError
            The text has other characters.
        """
        distinct = self.architecture.vocabulary_size
        if len(vocabulary) != distinct:
            raise ParametersError(
                f"The weights are for {distinct:,} distinct characters, but the text has"
                f" {len(vocabulary):,}: choose the text that they were trained on."
            )
        if self.characters is None:
            remark = (
                "The file does not name its characters: index k is taken as the k-th of the text's"
                " characters in the order of their code points, as in sorted(set(text))."
            )
            return replace(self, remarks=[*self.remarks, remark])
        lacking = sorted(set(vocabulary.characters) - set(self.characters))
        if lacking:
            named = ", ".join(map(repr, lacking[:MAX_NAMED]))
            raise ParametersError(f"The file has other characters than the text: it lacks {named}.")
        place = {character: index for index, character in enumerate(self.characters)}
        order = [place[character] for character in vocabulary.characters]
        if order == list(range(distinct)):
            return self
        first = self.architecture.name("U", 0)
        arrays = self.arrays | {first: self.arrays[first][:, order]}
        arrays |= {name: self.arrays[name][order] for name in OUTPUT}
        remark = "The characters were brought from the file's order into that of the text."
        return replace(self, arrays=arrays, remarks=[*self.remarks, remark])

    def of_type(self, dtype: str) -> GivenParameters:
        """Return the same parameters in the type of a run.

        Raises
        ------
        ParametersError
            A number is too large for the type.
        """
        with np.errstate(over="ignore"):
            arrays = {name: array.astype(dtype) for name, array in self.arrays.items()}
        _check_finite({source.name: arrays[source.name] for source in self.sources}, f" in {dtype}")
        if all(np.array_equal(arrays[name], self.arrays[name]) for name in arrays):
            return replace(self, arrays=arrays)
        remark = f"The numbers were rounded to {dtype}."
        return replace(self, arrays=arrays, remarks=[*self.remarks, remark])

    def copy_to(self, trainer: Trainer) -> None:
        """Set the parameters of a trainer at update 0 that has the same architecture."""
        for name, array in self.arrays.items():
            trainer.parameters[name][...] = array


def recognise_parameters(file: ArrayFile) -> GivenParameters:
    """Find a network's parameters among the arrays of a file.

    Raises
    ------
    ParametersError
        There are none, some are missing, or a shape does not fit the others.
    """
    found, unused = _named(file.arrays)
    layers = _layers(found)
    given = {key: _numbers(each) for key, each in found.items()}
    output, bias = given["V", 0], given["c", 0]
    shape, distinct = output.array.shape, bias.ravel().size
    if len(shape) != 2 or distinct not in shape:
        raise ParametersError(
            f"{output.source} has the shape {shape}, but {bias.source} has {distinct} numbers: one"
            " side of the output's matrix must have as many."
        )
    m = shape[1] if shape[0] == distinct else shape[0]
    if not distinct or not m:
        raise ParametersError(f"{output.source} has no numbers.")
    cell = _cell(given, m).name
    sizes = Architecture(vocabulary_size=distinct, hidden_size=m, cell=cell, layers=layers)
    remarks = _exchange(given, sizes)
    arrays, sources = _fitted(given, sizes, remarks)
    _check_finite({source.source: arrays[source.name] for source in sources})
    if renamed := [each for each in sources if _bare(each.source) not in arrays]:
        names = ", ".join(f"{each.source} is {each.name}" for each in renamed)
        remarks.insert(0, f"{names}.")
    used = {source.source for source in sources}
    if unused := [name for name in unused if name not in used]:
        names = ", ".join(name[:LARGEST_NAMED] for name in unused[:MAX_NAMED])
        remarks.append(f"Not used: {names}{', ...' if len(unused) > MAX_NAMED else ''}.")
    return GivenParameters(sizes, arrays, sources, _characters(file, distinct), remarks)


@dataclass(frozen=True, slots=True)
class _Given:
    source: str
    array: NDArray[Any]

    def ravel(self) -> NDArray[Any]:
        """Return a vector, which the file may have as a column or as a row."""
        if self.array.size != max(self.array.shape, default=1):
            raise ParametersError(
                f"{self.source} has the shape {self.array.shape}, but it must be a vector."
            )
        return self.array.ravel()


Key = tuple[str, int]
"""A symbol, and the number of its layer as the file has it; 0: without a number."""


def _bare(name: str) -> str:
    return name.removeprefix(PREFIX)


def _named(arrays: Arrays) -> tuple[dict[Key, _Given], list[str]]:
    """Return the arrays by symbol and layer, and the names that mean nothing here."""
    # A checkpoint has further models; the parameters are those of its own update.
    prefixed = {name for name in arrays if name.startswith(PREFIX)}
    found: dict[Key, _Given] = {}
    unused: list[str] = []
    for name, array in arrays.items():
        match = NAME.fullmatch(_bare(name).replace("_", ""))
        symbol = ALIASES.get(match[1]) if match else None
        if name in VOCABULARY:
            continue
        foreign = len(name) > LARGEST_NAMED or (prefixed and name not in prefixed)
        if match is None or symbol is None or foreign:
            unused.append(name)
            continue
        key = (symbol, int(match[2] or 0))
        if key in found:
            raise ParametersError(
                f"The file has {found[key].source} and {name}, which both mean {symbol}."
            )
        found[key] = _Given(name, array)
    return found, unused


def _layers(found: dict[Key, _Given]) -> int:
    """Return the number of layers, and check that no symbol is missing."""
    for symbol in OUTPUT:
        numbered = [key for key in found if key[0] == symbol and key[1]]
        if (symbol, 0) not in found and len(numbered) == 1:
            found[symbol, 0] = found.pop(numbered[0])
    numbers = {number for symbol, number in found if symbol not in OUTPUT}
    layers = len(numbers)
    if numbers == {1}:
        for symbol, number in [*found]:
            if number:
                found[symbol, 0] = found.pop((symbol, number))
        numbers = {0}
    expected = {0} if layers == 1 else set(range(1, layers + 1))
    if numbers and (numbers != expected or layers > MAX_LAYERS):
        raise ParametersError(
            f"The layers must be numbered from 1, up to {MAX_LAYERS}: U1, W1, b1, U2, ..."
        )
    missing = [
        f"{symbol}{number or ''}"
        for number in sorted(numbers or {0})
        for symbol in "UWb"
        if (symbol, number) not in found
    ]
    missing += [symbol for symbol in OUTPUT if (symbol, 0) not in found]
    if missing:
        has = ", ".join(each.source[:LARGEST_NAMED] for each in found.values()) or "none of them"
        raise ParametersError(
            f"The file lacks {', '.join(missing)} (it has {has}): the parameters are U, W, b, V and"
            " c, or Wxh, Whh, bh, Why and by."
        )
    return layers


def _numbers(given: _Given) -> _Given:
    if given.array.dtype.kind not in "fiu" or given.array.dtype.itemsize > 8:
        raise ParametersError(
            f"{given.source} has the type {given.array.dtype}, but it must have real numbers of at"
            " most 64 bits."
        )
    kind = given.array.dtype if given.array.dtype.kind == "f" else np.float64
    return _Given(given.source, given.array.astype(kind, copy=False))


def _cell(given: dict[Key, _Given], m: int) -> Cell:
    """Return the cell whose number of gates the biases have."""
    first = min(number for symbol, number in given if symbol == "b")
    b = given["b", first]
    size = b.ravel().size
    extra = {symbol for symbol, _ in given if symbol not in {*"UWb", *OUTPUT}}
    fitting = [cell for cell in CELLS.values() if cell.gates * m == size]
    for cell in fitting:
        if set(cell.extra_parameters) == extra:
            return cell
    if fitting:
        needs = ", ".join(fitting[0].extra_parameters) or "no other parameters"
        raise ParametersError(
            f"{b.source} has {size} numbers, as in a {fitting[0].name}, which needs {needs} besides"
            f" U, W and b; the file has {', '.join(sorted(extra)) or 'none'}."
        )
    kinds = ", ".join(f"{cell.name} {cell.gates * m}" for cell in CELLS.values())
    raise ParametersError(
        f"{b.source} has {size} numbers, but {m} hidden units, the other side of the output's"
        f" matrix, need: {kinds}."
    )


def _exchange(given: dict[Key, _Given], sizes: Architecture) -> list[str]:
    """Exchange U and W where the file's W is the matrix of the input; return what was done."""
    first = min(number for symbol, number in given if symbol == "U")
    shapes = sizes.parameter_shapes
    shapes_given = [sorted(given[symbol, first].array.shape) for symbol in "UW"]
    of_input = sorted(shapes[sizes.name("U", 0)])
    recurrent = sorted(shapes[sizes.name("W", 0)])
    if of_input == recurrent or shapes_given != [recurrent, of_input]:
        return []
    for symbol, number in [*given]:
        if symbol == "U":
            given["U", number], given["W", number] = given["W", number], given["U", number]
    return ["In this file W is the input's matrix and U the recurrent one, as their shapes show."]


def _fitted(
    given: dict[Key, _Given], sizes: Architecture, remarks: list[str]
) -> tuple[Arrays, list[ParameterSource]]:
    """Return the arrays in their shapes; matrices of row vectors are transposed."""
    arrays: Arrays = {}
    sources: list[ParameterSource] = []
    rows = _is_row_convention(given, sizes)
    unclear = []
    for name, shape in sizes.parameter_shapes.items():
        own = given.get((name[0], int(name[1:] or 0)))
        if own is None:
            raise ParametersError(f"The file lacks {name}.")
        array, transposed = own.array, False
        if len(shape) == 1:
            array = own.ravel()
        elif array.shape == shape[::-1] and shape[0] != shape[1]:
            transposed = True
        elif shape[0] == shape[1] and array.shape == shape:
            transposed = rows is True
            unclear += [own.source] if rows is None else []
        array = array.T if transposed else array
        if array.shape != shape:
            either = f"{shape} or {shape[::-1]}" if len(shape) == 2 else f"{shape}"
            raise ParametersError(
                f"{own.source} has the shape {own.array.shape}, but {name} of this network, with"
                f" {sizes.vocabulary_size} characters and {sizes.hidden_size} hidden units, has"
                f" {either}."
            )
        arrays[name] = array
        sources.append(ParameterSource(name, own.source, own.array.shape, transposed))
    if names := [source.source for source in sources if source.transposed]:
        square = [
            source.source
            for source in sources
            if source.transposed and source.shape[0] == source.shape[1]
        ]
        why = (
            f" {_listed(square)} {'is' if len(square) == 1 else 'are'} square, so that this"
            " follows from the input's matrix."
            if square
            else ""
        )
        verb = "is" if len(names) == 1 else "are"
        remarks.append(
            f"{_listed(names)} {verb} transposed: the file has them for row vectors.{why}"
        )
    if unclear:
        remarks.append(
            f"{_listed(unclear)} may be transposed: the shapes cannot show it, because there"
            " are as many characters as hidden units."
        )
    return arrays, sources


def _is_row_convention(given: dict[Key, _Given], sizes: Architecture) -> bool | None:
    """Whether the matrices of the hidden states multiply row vectors; None: the shapes do not tell.

    A square matrix does not show it. The input's matrix is in the same sum, and has the same order.
    """
    shape = sizes.parameter_shapes[sizes.name("U", 0)]
    if shape[0] == shape[1]:
        return None
    return given["U", 0 if sizes.layers == 1 else 1].array.shape == shape[::-1]


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _check_finite(arrays: Arrays, where: str = "") -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ParametersError(f"{name} has numbers that are not finite{where}.")


def _characters(file: ArrayFile, distinct: int) -> list[str] | None:
    """Return the characters that the file names, in the order of their indices."""
    for name in VOCABULARY:
        found = file.arrays.get(name)
        value: object = file.description.get(name)
        if found is not None and found.dtype.kind == "U":
            value = str(found) if found.ndim == 0 else [str(each) for each in found.ravel()]
        if value is None:
            continue
        characters = list(value) if isinstance(value, str | list) else []
        whole = all(isinstance(each, str) and len(each) == 1 for each in characters)
        if not whole or len(characters) != distinct or len(set(characters)) != distinct:
            raise ParametersError(
                f"{name} must name the {distinct} characters in the order of their indices, each"
                " once."
            )
        return characters
    return None
