"""Reading arrays from a file of unknown origin: `.npz`, or safetensors; nothing is unpickled."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.npz import DAMAGE, META, Arrays
from server.checkpoints.npz_validation import validate_archive
from server.checkpoints.safetensors import METADATA

__all__ = ["ArrayFile", "ArrayFileError", "read_array_file", "read_json_object"]

TYPES = {
    "BOOL": "|b1",
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
NUMPY, ZIP = b"\x93NUMPY", b"PK"
PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


class ArrayFileError(ValueError):
    """The file is not one of arrays, or is damaged; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """The arrays of a file by name, of numbers or of text, and its description.

    Attributes
    ----------
    arrays : dict of str to ndarray
        All arrays except the description.
    description : dict
        The metadata of a safetensors file, or the JSON of the array "meta"; empty without it.
    """

    arrays: Arrays
    description: dict[str, Any]


def read_array_file(file: IO[bytes]) -> ArrayFile:
    """Read a file, with no more memory than a small multiple of its size.

    Parameters
    ----------
    file : binary file
        Seekable.

    Raises
    ------
    ArrayFileError
        It is neither format, or damaged, or has something else than numbers and text.
    """
    file.seek(0)
    start = file.read(len(NUMPY))
    if start.startswith(ZIP):
        return _read_npz(file)
    if start.startswith(NUMPY):
        raise ArrayFileError(
            "The file has a single array: save all of them by name, with numpy.savez."
        )
    try:
        return _read_safetensors(file)
    except DAMAGE as error:
        if start.startswith(PICKLES):
            raise ArrayFileError(
                "The file is pickled, which is never read: save it with numpy.savez."
            ) from error
        raise ArrayFileError(
            f"The file is neither .npz nor safetensors, or it is damaged: {error}."
        ) from error


def _read_npz(file: IO[bytes]) -> ArrayFile:
    try:
        validate_archive(file)
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except DAMAGE as error:
        advice = " Save it with numpy.savez, each array under its own name."
        raise ArrayFileError(f"The .npz file cannot be used: {error}.{advice}") from error
    except OSError as error:
        # The directory of a damaged archive may name an offset before the start of the file.
        raise ArrayFileError("The .npz file is damaged.") from error
    return ArrayFile(arrays, read_json_object(arrays.pop(META, None)))


def read_json_object(array: NDArray[Any] | None) -> dict[str, Any]:
    """Return the JSON object that an array has as its one text; empty if it has none."""
    if array is None or array.dtype.kind != "U" or array.ndim:
        return {}
    try:
        found = json.loads(str(array))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_safetensors(file: IO[bytes]) -> ArrayFile:
    size_bytes = file.seek(0, 2)
    file.seek(0)
    header_bytes = int.from_bytes(file.read(8), "little")
    if not 2 <= header_bytes <= size_bytes - 8:
        raise ValueError("it has no header")
    header = json.loads(file.read(header_bytes))
    if not isinstance(header, dict):
        raise TypeError("its header is not an object")
    description = header.pop(METADATA, {})
    data = file.read()
    arrays = {str(name): _array(str(name), about, data) for name, about in header.items()}
    if sum(array.nbytes for array in arrays.values()) > len(data):
        raise ValueError("its arrays overlap")
    return ArrayFile(arrays, description if isinstance(description, dict) else {})


def _array(name: str, about: dict[str, Any], data: bytes) -> np.ndarray[Any, Any]:
    dtype = TYPES.get(about["dtype"])
    if dtype is None:
        raise ValueError(f"{name[:60]!r} has the type {str(about['dtype'])[:20]}")
    shape, (start, end) = about["shape"], about["data_offsets"]
    numbers = [*shape, start, end]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"{name[:60]!r} has no shape")
    size = math.prod(shape)
    if end > len(data) or end - start != size * np.dtype(dtype).itemsize:
        raise ValueError(f"{name[:60]!r} does not have the size of its shape")
    # A copy, because a view of bytes cannot be written to, and would keep all of them in memory.
    return np.frombuffer(data, dtype, size, start).reshape(shape).copy()
