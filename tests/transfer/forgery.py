"""Archives as an attacker would make them: every checksum is right, unless it should not be."""

import hashlib
import io
import json
import zlib

import numpy as np

from server.transfer.archive_format import MANIFEST
from server.transfer.zip_layout import Part, directory, local_header


def manifest_of(file):
    """Return the manifest of an archive, and where the bytes after it begin."""
    size = int.from_bytes(file[55:63], "little")
    return json.loads(file[63 : 63 + size])


def forge(file, changed, **fields):
    """Return an archive with other parts.

    Parameters
    ----------
    file : bytes
        A real archive.
    changed : dict
        The new contents of parts by name; None: without this part.
    **fields
        Of the manifest.
    """
    from tests.transfer.conftest import parts  # noqa: PLC0415

    contents = {k: v for k, v in (parts(file) | changed).items() if v is not None}
    manifest = manifest_of(file)
    counts = manifest["counts"] | {
        folder: sum(name.startswith(f"{folder}/") for name in contents)
        for folder in ("checkpoints", "snapshots", "models")
    }
    for name, key in (("samples", "samples"), ("milestones", "milestones")):
        counts[key] = contents.get(f"{name}.jsonl", b"").count(b"\n")
    counts["updates"] = len(contents.get("losses.f64", b"")) // 8
    members = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
    return packed(manifest | {"counts": counts, "members": members} | fields, contents)


def packed(manifest, contents):
    """Return the bytes of an archive with this manifest and these parts."""
    first = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    whole = {MANIFEST: first} | contents
    listed = [Part(name, len(content), zlib.crc32(content)) for name, content in whole.items()]
    pieces = [local_header(part) + whole[part.name] for part in listed]
    return b"".join(pieces) + directory(listed)


def edited(content, **fields):
    """Return a JSON document with other fields."""
    return json.dumps(json.loads(content) | fields).encode()


def line_edited(content, which=0, **fields):
    """Return JSON Lines with other fields in one line."""
    lines = content.splitlines()
    lines[which] = edited(lines[which], **fields)
    return b"\n".join(lines) + b"\n"


def array_edited(content, name, change):
    """Return an `.npz` file with another array, and the right checksums."""
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        arrays = {key: loaded[key] for key in loaded.files}
    meta = json.loads(str(arrays.pop("meta")))
    return npz(change_array(arrays, name, change), meta)


def meta_edited(content, change):
    """Return an `.npz` file whose description `change` has changed."""
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        arrays = {key: loaded[key] for key in loaded.files}
    meta = json.loads(str(arrays.pop("meta")))
    change(meta)
    return npz(arrays, meta)


def change_array(arrays, name, change):
    return arrays | {name: change(arrays[name])}


def npz(arrays, meta):
    """Return a file as `write_archive` writes it."""
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from server.checkpoints.npz import write_archive  # noqa: PLC0415

    meta.pop("parts", None)
    with tempfile.TemporaryDirectory() as directory_:
        path = Path(directory_) / "a.npz"
        write_archive(path, arrays, meta, durable=False)
        return path.read_bytes()
