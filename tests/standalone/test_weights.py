"""Weights as safetensors: the library reads them, and PyTorch computes the same with them."""

import json

import numpy as np
import pytest
from safetensors import safe_open

from server.checkpoints.checkpoint_format import load_model
from server.errors import ConflictError
from server.passages.model_locator import LocatedModel
from server.rnn.sampling.inference import Stepper
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run
from server.standalone import model_files
from server.standalone.weights import write_npz, write_safetensors
from tests.serving import ROOT
from tests.standalone.golden.models import CASES, PATH, TEXT, VOCABULARY, key, model


@pytest.fixture(scope="module")
def golden():
    with np.load(PATH, allow_pickle=False) as archive:
        return dict(archive)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


@pytest.mark.parametrize("case", CASES, ids=lambda case: key(*case))
def test_pytorch_computes_the_same_probabilities_with_them(case, golden):
    stepper = Stepper(model(*case))
    ours = [softmax(stepper.step(index)[0].astype("f8")) for index in VOCABULARY.encode(TEXT)]
    np.testing.assert_allclose(ours, golden[key(*case)], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: key(*case))
def test_the_library_reads_the_numbers_the_architecture_and_the_vocabulary(case, tmp_path):
    written = model(*case)
    spec = {"name": "“海”", "seed": 3}
    path = tmp_path / "weights.safetensors"
    write_safetensors(path, written, VOCABULARY, spec)
    expected = {f"parameters.{name}": array for name, array in written.parameters.items()}
    expected |= {f"state.{name}": array for name, array in written.state.items()}
    with safe_open(path, "np") as file:
        assert set(file.keys()) == set(expected)
        for name, array in expected.items():
            assert file.get_tensor(name).tobytes() == array.tobytes(), name
        meta = file.metadata()
    assert meta["vocabulary"] == VOCABULARY.characters
    cell, layers, _ = case
    assert (meta["cell"], meta["layers"], meta["hidden_size"]) == (cell, str(layers), "4")
    numbers = {name: json.loads(meta[name]) for name in ("update", "smooth_loss", "next_index")}
    assert numbers == {"update": 10, "smooth_loss": 1.5, "next_index": 0}
    assert json.loads(meta["spec"]) == spec


def test_the_example_is_short_and_in_the_documentation():
    lines = (ROOT / "docs" / "load_weights.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 50
    assert "(load_weights.py)" in (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")


def test_a_model_that_does_not_exist_or_cannot_be_used_is_a_conflict(tmp_path):
    run = Run.model_construct(spec=RunSpec(corpus="tale"))
    path = tmp_path / "weights"
    with pytest.raises(ConflictError, match="has not trained yet"):
        model_files._write(path, LocatedModel("best", None, "best"), run, "safetensors")
    broken = model("rnn", 1, "float32")
    broken.parameters["W"][0, 0] = np.nan
    source = tmp_path / "model.npz"
    write_npz(source, broken, VOCABULARY, {})
    with pytest.raises(ConflictError, match="not finite"):
        model_files._write(path, LocatedModel("best", source, "best"), run, "html")
    assert not path.exists()
    whole = model("rnn", 1, "float32")
    write_npz(source, whole, VOCABULARY, {})
    again, _ = load_model(source, "latest")
    assert again.update == whole.update
