"""What an archive of arrays says of itself, held against its size before any of it is believed.

An archive may come from anywhere: somebody's folder, a colleague's message. Zip and NumPy both take
the archive's word for how much memory its contents will need, so a small file could ask for all
there is: by compression, by a shape, or by parts that lie in one another.
"""

from __future__ import annotations

import math
import zipfile
from typing import IO

import numpy as np

__all__ = ["validate_archive"]

# A checkpoint of four LSTM layers holds some sixty.
MAX_ARRAYS = 1_000
# Truth values, whole numbers, real ones, and the description. No objects: they would be pickled.
KINDS = "biufU"
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
ENCRYPTED = 0x1


def validate_archive(file: IO[bytes]) -> None:
    """Return if reading all arrays takes no more memory than the file is large.

    Parameters
    ----------
    file : binary file
        The archive; afterwards it stands at its start.

    Raises
    ------
    ValueError
        It would take more, or it is not made as `write_archive` makes one; the message says why.
    zipfile.BadZipFile
        It is no archive.
    """
    size_bytes = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_ARRAYS:
            raise ValueError(f"it holds {len(parts):,} parts, and at most {MAX_ARRAYS:,} may be")
        if len({part.filename for part in parts}) < len(parts):
            raise ValueError("it holds two parts of one name")
        if sum(part.file_size for part in parts) > size_bytes:
            raise ValueError("it says that it holds more than it is large")
        for part in parts:
            _inspect_part(archive, part)
    file.seek(0)


def _inspect_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    name = part.filename[:60]
    if part.compress_type != zipfile.ZIP_STORED or part.flag_bits & ENCRYPTED:
        raise ValueError(f"{name!r} is compressed or encrypted, which no checkpoint is")
    if not part.filename.endswith(".npy"):
        raise ValueError(f"{name!r} is no array")
    with archive.open(part) as file:
        reader = HEADER_READERS.get(np.lib.format.read_magic(file))
        if reader is None:
            raise ValueError(f"{name!r} is of an unknown version")
        shape, _, dtype = reader(file)
        if dtype.hasobject or dtype.kind not in KINDS:
            raise ValueError(f"{name!r} holds {dtype}, and may hold numbers or a text alone")
        array_bytes = part.file_size - file.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != array_bytes:
        raise ValueError(f"{name!r} is not as large as its shape {shape} says"[:200])
