"""Files in the safetensors format, written without the library.

The format [1]_ is eight bytes with the length of a header, as a little-endian integer; the header,
a JSON object in UTF-8 padded with spaces to a multiple of eight bytes; then the bytes of all
arrays, one after the other without gaps. The header has the type, the shape and the place of each
array, and under ``__metadata__`` an object of strings.

References
----------
.. [1] https://huggingface.co/docs/safetensors, "Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["safetensors_chunks"]

METADATA = "__metadata__"
ALIGNMENT_BYTES = 8
TYPES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64"}


def safetensors_chunks(
    arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a file: the header first, then one array at a time.

    Parameters
    ----------
    arrays : mapping of str to ndarray of float32 or float64, any shape
        Stored in C order and little-endian, the widest type first, then by name. The library uses
        the same order, so that its files have the same bytes.
    metadata : mapping of str to str
        Any Unicode text but lone surrogates, which UTF-8 does not have.

    Raises
    ------
    ValueError
        An array has another type, or the name that the format reserves for the metadata.
    UnicodeEncodeError
        A text has a lone surrogate.
    """
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    start = 0
    for name in names:
        array = arrays[name]
        dtype = TYPES.get(array.dtype.newbyteorder("="))
        if dtype is None or name == METADATA:
            raise ValueError(f"an array {name} of {array.dtype} cannot be written")
        end = start + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        array = arrays[name]
        # `ascontiguousarray` would turn a scalar into a vector; its bytes are the same.
        yield np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view("u1").data
