"""Safetensors files: the same bytes as the library's."""

import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from server.checkpoints.safetensors import safetensors_chunks

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ARRAYS = st.dictionaries(
    TEXT.filter(lambda name: name != "__metadata__"),
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    max_size=5,
)


def written(arrays, metadata):
    return b"".join(safetensors_chunks(arrays, metadata))


def read(data):
    """Return what the library reads: the arrays, and the metadata in the header."""
    arrays = safetensors.numpy.load(data)
    length = int.from_bytes(data[:8], "little")
    return arrays, json.loads(data[8 : 8 + length]).get("__metadata__", {})


# The library writes several texts of the metadata in any order.
@given(arrays=ARRAYS, metadata=st.dictionaries(TEXT, TEXT, max_size=1))
def test_the_bytes_are_those_that_the_library_writes(arrays, metadata):
    assert written(arrays, metadata) == safetensors.numpy.save(arrays, metadata or None)


@given(arrays=ARRAYS, metadata=st.dictionaries(TEXT, TEXT, max_size=4))
def test_the_library_reads_them(arrays, metadata):
    data = written(arrays, metadata)
    loaded, texts = read(data)
    assert texts == metadata
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        assert loaded[name].tobytes() == array.tobytes()


def test_another_order_in_memory_is_written_in_c_order(tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    expected = written({"a": array}, {})
    assert written({"a": np.asfortranarray(array)}, {}) == expected
    assert written({"a": array.astype(">f8")}, {}) == expected
    path = tmp_path / "a.safetensors"
    path.write_bytes(expected)
    with safetensors.safe_open(path, "np") as file:
        assert file.get_tensor("a").tolist() == array.tolist()
        assert file.metadata() is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.arange(3)}, "an array a of int64"),
        ({"a": np.array(["x"])}, "an array a of <U1"),
        ({"__metadata__": np.zeros(3)}, "an array __metadata__"),
    ],
)
def test_what_the_format_or_the_reader_cannot_hold_is_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        written(arrays, {})


def test_a_lone_surrogate_is_refused():
    with pytest.raises(UnicodeEncodeError):
        written({}, {"vocabulary": "\ud800"})
