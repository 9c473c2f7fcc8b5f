"""The weights of a model as files, which docs/weights.md describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.checkpoints.checkpoint_format import model_contents
from server.checkpoints.npz import write_archive
from server.checkpoints.safetensors import safetensors_chunks
from server.rnn.model import Model
from server.rnn.vocabulary import Vocabulary

__all__ = ["weight_chunks", "write_npz", "write_safetensors"]


def weight_chunks(
    model: Model, vocabulary: Vocabulary, spec: dict[str, Any]
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a safetensors file of a model.

    It has the arrays and the description of a model's `.npz` file. A description in this format has
    only strings: texts are as they are, and everything else is JSON.
    """
    arrays, meta = model_contents(model, vocabulary, spec)
    meta["hidden_size"] = model.hidden_size
    metadata = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in meta.items()
    }
    return safetensors_chunks(arrays, metadata)


def write_safetensors(
    path: Path, model: Model, vocabulary: Vocabulary, spec: dict[str, Any]
) -> None:
    """Write a model's safetensors file."""
    with path.open("wb") as file:
        file.writelines(weight_chunks(model, vocabulary, spec))


def write_npz(path: Path, model: Model, vocabulary: Vocabulary, spec: dict[str, Any]) -> None:
    """Write a model's `.npz` file."""
    write_archive(path, *model_contents(model, vocabulary, spec), durable=False)
