"""Weights of one's own: every layout that is recognised, and every file that is refused."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from server.checkpoints.array_files import ArrayFileError, read_array_file
from server.checkpoints.given_parameters import ParametersError, recognise_parameters
from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.rnn.vocabulary import Vocabulary

K, M = 7, 5
VOCABULARY = Vocabulary.from_text("abcdefg")
NAMES = {"U": "Wxh", "W": "Whh", "b": "bh", "V": "Why", "c": "by"}


def npz(arrays, **more):
    file = io.BytesIO()
    np.savez(file, **arrays, **more)
    return file


def parameters(**sizes):
    shapes = Architecture(vocabulary_size=K, hidden_size=M, **sizes).parameter_shapes
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def recognised(file):
    return recognise_parameters(read_array_file(file))


def assert_same(given, expected):
    assert set(given.arrays) == set(expected)
    for name, array in expected.items():
        assert given.arrays[name].shape == array.shape
        assert np.array_equal(given.arrays[name], array), name


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
def test_each_cell_is_recognised_in_every_layout(cell, layers):
    own = parameters(cell=cell, layers=layers)
    prefixed = {f"parameters.{name}": array for name, array in own.items()}
    renamed = {NAMES.get(name[0], name[0]) + name[1:]: array for name, array in own.items()}
    rows = {name: array.T if array.ndim == 2 else array[None] for name, array in renamed.items()}
    files = {
        "names of the course": npz(own),
        "a file of Hurrah": npz(prefixed | {"state.h": np.zeros(M), "optimizer.U": own["V"]}),
        "safetensors": io.BytesIO(safetensors.numpy.save(prefixed)),
        "other names": npz(renamed),
        "underscores": npz({name.replace("Wx", "W_x"): each for name, each in renamed.items()}),
        "row vectors": npz(rows),
        "columns": npz({n: each if each.ndim == 2 else each[:, None] for n, each in own.items()}),
        "Fortran order": npz({name: np.asfortranarray(each) for name, each in own.items()}),
    }
    for layout, file in files.items():
        given = recognised(file)
        assert given.architecture == Architecture(
            vocabulary_size=K, hidden_size=M, cell=cell, layers=layers
        ), layout
        assert_same(given, own)
        transposed = {each.name for each in given.sources if each.transposed}
        matrices = {name for name, array in own.items() if array.ndim == 2}
        assert transposed == (matrices if layout == "row vectors" else set()), layout
        assert bool(given.remarks) == (
            layout not in {"names of the course", "safetensors", "columns", "Fortran order"}
        ), (layout, given.remarks)


def test_what_was_done_is_said_and_what_the_shapes_cannot_show_too():
    own = parameters()
    rows = {NAMES[name]: array.T for name, array in own.items()}
    assert recognised(npz(rows, hprev=np.zeros(M))).remarks == [
        "Wxh is U, Whh is W, bh is b, Why is V, by is c.",
        (
            "Wxh, Whh and Why are transposed: the file has them for row vectors. Whh is square, so"
            " that this follows from the input's matrix."
        ),
        "Not used: hprev.",
    ]
    exchanged = own | {"U": own["W"], "W": own["U"]}
    given = recognised(npz(exchanged))
    assert_same(given, own)
    assert given.remarks == [
        "In this file W is the input's matrix and U the recurrent one, as their shapes show."
    ]
    square = {name: np.ones(K) if name in "bc" else np.eye(K) for name in "UWbVc"}
    (remark,) = recognised(npz(square)).remarks
    assert remark.startswith("U, W and V may be transposed")


def test_characters_are_brought_into_the_order_of_the_text():
    own = parameters(cell="lstm")
    order = np.array([3, 1, 0, 2, 6, 5, 4])
    shuffled = own | {"U": own["U"][:, order], "V": own["V"][order], "c": own["c"][order]}
    # The library writes the bytes of an array as they are in memory.
    shuffled["U"] = np.ascontiguousarray(shuffled["U"])
    characters = "".join(VOCABULARY.characters[index] for index in order)
    meta = json.dumps({"vocabulary": characters})
    named = [
        npz(shuffled, chars=np.array(list(characters))),
        npz(shuffled, vocabulary=np.array(characters)),
        npz(shuffled, meta=np.array(meta)),
        io.BytesIO(safetensors.numpy.save(shuffled, {"vocabulary": characters})),
    ]
    for file in named:
        given = recognised(file).for_vocabulary(VOCABULARY)
        assert_same(given, own)
        assert given.remarks == [
            "The characters were brought from the file's order into that of the text."
        ]
    (assumed,) = recognised(npz(own)).for_vocabulary(VOCABULARY).remarks
    assert "sorted(set(text))" in assumed
    for text, sentence in [
        ("abcdef", "The weights are for 7 distinct characters, but the text has 6"),
        ("bcdefgh", "it lacks 'h'"),
    ]:
        with pytest.raises(ParametersError, match=sentence):
            recognised(named[0]).for_vocabulary(Vocabulary.from_text(text))


def test_numbers_are_rounded_to_the_type_of_the_run_or_refused():
    own = parameters()
    given = recognised(npz(own))
    assert given.of_type("float64").remarks == []
    assert given.of_type("float32").remarks == ["The numbers were rounded to float32."]
    assert given.of_type("float32").arrays["W"].dtype == np.float32
    exact = {name: array.astype(np.float16) for name, array in own.items()}
    assert recognised(npz(exact)).of_type("float32").remarks == []
    with pytest.raises(ParametersError, match="W has numbers that are not finite in float32"):
        recognised(npz(own | {"W": own["W"] * 1e300})).of_type("float32")


WITHOUT_D = {name: array for name, array in parameters(cell="gru").items() if name != "d"}


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, "The file lacks U, W, b, V, c"),
        ({"c": None}, r"The file lacks c \(it has U, W, b, V\)"),
        ({"Wxh": np.zeros((M, K))}, "U and Wxh, which both mean U"),
        ({"U": np.zeros((M, K + 1))}, r"U has the shape \(5, 8\), but U of this network"),
        ({"V": np.zeros((K + 1, M))}, "one side of the output's matrix"),
        ({"V": np.zeros(K)}, "one side of the output's matrix"),
        ({"V": np.zeros((K, 0))}, "V has no numbers"),
        ({"b": np.zeros(M + 1)}, "b has 6 numbers, but 5 hidden units"),
        ({"b": np.zeros((M, M))}, "it must be a vector"),
        ({"W": np.full((M, M), np.nan)}, "W has numbers that are not finite"),
        ({"W": np.ones((M, M), complex)}, "has the type complex128"),
        ({"W": np.ones((M, M), bool)}, "W has the type bool"),
        ({"U3": np.zeros((M, M))}, "The layers must be numbered from 1"),
        ({"chars": np.array(list("abc"))}, "chars must name the 7 characters"),
        ({"chars": np.array(list("aabcdef"))}, "each once"),
        (WITHOUT_D | {"U": WITHOUT_D["U"]}, "as in a gru, which needs d"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_a_sentence(arrays, sentence):
    own = parameters() | arrays if arrays else {}
    file = npz({name: array for name, array in own.items() if array is not None})
    with pytest.raises((ArrayFileError, ParametersError), match=sentence):
        recognised(file)


class Executed:
    """Pickled, it would write a file when it is read."""

    def __reduce__(self):
        return (open, ("executed", "w"))


def header(content):
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


def compressed():
    file = io.BytesIO()
    np.savez_compressed(file, **parameters())
    return file.getvalue()


def bomb():
    """An array whose header declares more than the file has."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("U.npy", "w") as part:
        described = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
        np.lib.format.write_array_header_1_0(part, described)
    return file.getvalue()


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return header({"U": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}) + bytes(4)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "neither .npz nor safetensors"),
        (b"just a text, and no weights", "neither .npz nor safetensors"),
        (b"\x80\x04\x95rest of a pickle", "The file is pickled, which is never read"),
        (b"\x93NUMPY\x01\x00", "a single array"),
        (npz({"U": np.array([Executed()], dtype=object)}).getvalue(), "only numbers and text"),
        (compressed(), "compressed.* Save it with numpy.savez"),
        (bomb(), "does not have the size of its shape"),
        (npz(parameters()).getvalue()[:-30], "cannot be used|damaged"),
        (struct.pack("<Q", 2**62) + b"{}", "it has no header"),
        (header([1]), "not an object"),
        (struct.pack("<Q", 400_000) + b"[" * 400_000, "neither"),
        (entry("BF16"), "has the type BF16"),
        (entry(offsets=(0, 8)), "does not have the size"),
        (entry(shape=(-1,), offsets=(0, 4)), "has no shape"),
        (entry(shape=(1.0,)), "has no shape"),
        (entry(shape=(10**9, 10**9), offsets=(0, 4)), "does not have the size"),
        (header({"U": 1}), "neither"),
        (
            header({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in ("U", "W")})
            + bytes(4),
            "overlap",
        ),
    ],
)
def test_hostile_files_are_refused_and_nothing_is_executed(data, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArrayFileError, match=sentence):
        read_array_file(io.BytesIO(data))
    assert not list(tmp_path.iterdir())
