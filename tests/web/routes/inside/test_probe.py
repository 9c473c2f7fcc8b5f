"""Probes over HTTP: the figures of the network itself, in every state of a run."""

import base64
import json
import math

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import load_model
from server.rnn.inspection.activations import read_activations
from server.rnn.inspection.time_gradients import saliency
from tests.serving import PAGES

HIDDEN = 12
SMALL = {"hidden_size": HIDDEN, "sample_length": 20, "sample_every": 50}
TEXT = PAGES[500:560]


@pytest.fixture(scope="module")
def run(server):
    """A finished run with snapshots."""
    corpus = server.upload(PAGES)["id"]
    return server.until_ended(server.create(corpus=corpus, max_updates=100, **SMALL))


def probe(server, run, text=TEXT, **request):
    return server.post(run, "probe", {"text": text, "units": False, **request})


def latest_model(server, run, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(server.client.get(f"/api/runs/{run['id']}/checkpoints/latest/file").content)
    return load_model(path, "latest")


def probabilities(server, run, tmp_path, text, temperature=1.0):
    """What the latest network predicts after each character, and its activations."""
    model, vocabulary = latest_model(server, run, tmp_path)
    read = read_activations(model, vocabulary.encode(text)[None])
    e = np.exp(read.logits[0].astype(float) / temperature)
    return e / e.sum(axis=1, keepdims=True), read.hidden[0, 0], vocabulary


def activations(found):
    hidden = found["hidden"]
    values = np.frombuffer(base64.b64decode(hidden["int8"]), np.int8)
    return values.reshape(hidden["shape"]) / 127 * hidden["max"]


def test_a_probe_has_the_networks_figures(server, run, tmp_path):
    found = probe(server, run)
    p, h, vocabulary = probabilities(server, run, tmp_path, TEXT)
    assert found["model"] == {"kind": "latest", "update": 100}
    assert "".join(found["characters"]) == TEXT
    assert found["unknown"] == []
    assert found["surprisal"][0] is None
    expected = [-math.log2(p[t - 1, vocabulary.encode(TEXT[t])[0]]) for t in range(1, len(TEXT))]
    assert found["surprisal"][1:] == pytest.approx(expected, abs=0.002)
    for top, row in zip(found["top"], p, strict=True):
        assert [q for _, q in top] == pytest.approx(sorted(row, reverse=True)[:5], abs=1e-4)
        assert all(q == pytest.approx(row[vocabulary.encode(c)[0]], abs=1e-4) for c, q in top)
    assert found["hidden"]["shape"] == [len(TEXT), HIDDEN]
    assert np.abs(activations(found) - h).max() <= 0.5 / 127 + 1e-6


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_a_temperature_reshapes_the_likeliest_characters(server, run, tmp_path, temperature):
    found = probe(server, run, temperature=temperature, top=3)
    p, _, vocabulary = probabilities(server, run, tmp_path, TEXT, temperature)
    for top, row in zip(found["top"], p, strict=True):
        assert [q for _, q in top] == pytest.approx(sorted(row, reverse=True)[:3], abs=1e-4)
    chances = [p[t - 1, vocabulary.encode(TEXT[t])[0]] for t in range(1, len(TEXT))]
    assert found["probability"][1:] == pytest.approx(chances, abs=1e-4)
    # The surprisal is that of the network itself.
    assert found["surprisal"] == probe(server, run)["surprisal"]
    certain = probe(server, run, temperature=0)["top"]
    assert all([q for _, q in top] == [1, 0, 0, 0, 0] for top in certain)


def test_unknown_characters_are_skipped(server, run):
    known = probe(server, run, "hand")
    found = probe(server, run, "😀ha\u0416nd")
    assert found["unknown"] == [0, 3]
    assert found["surprisal"][0] is found["surprisal"][3] is None
    assert found["top"][0] == []
    assert [found["top"][i] for i in (1, 2, 4, 5)] == known["top"]
    assert found["top"][3] == found["top"][2]
    rows = activations(found)
    assert np.array_equal(rows[[1, 2, 4, 5]], activations(known))
    assert np.array_equal(rows[3], rows[2])
    all_unknown = probe(server, run, "\u0416\u0416")
    assert all_unknown["surprisal"] == [None, None]
    assert all_unknown["unknown"] == [0, 1]


def test_a_snapshot_is_read(server, run):
    updates = server.get(run, "snapshots")["updates"]
    assert updates[0] == 0
    assert updates[-1] == 100
    for update in (0, 20):
        found = probe(server, run, source={"update": update})
        assert found["model"] == {"kind": "snapshot", "update": update}
    first, last = (
        np.nanmean(np.array(probe(server, run, source={"update": u})["surprisal"], float))
        for u in (0, 100)
    )
    assert last < first


def test_a_paused_run_is_read_before_its_first_update_and_after_a_step(server):
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    assert probe(server, run)["model"]["update"] == 0
    server.post(run, "step", {"updates": 3})
    assert probe(server, run)["model"] == {"kind": "latest", "update": 3}


def test_a_probe_names_what_the_units_follow(server, run):
    found = server.post(run, "probe", {"text": TEXT})
    follow = [unit for unit in server.get(run, "units")["units"] if unit["confirmed"]]
    assert follow
    assert found["units"] == [
        {name: unit[name] for name in ("unit", "feature", "correlation")} for unit in follow
    ]
    assert probe(server, run)["units"] == []


def saliencies(found):
    part = found["saliency"]
    rows = np.frombuffer(base64.b64decode(part["uint8"]), np.uint8).reshape(part["shape"])
    return rows / 255 * np.array(part["max"])[:, None]


def test_saliency_has_the_gradients_of_the_network(server, run, tmp_path):
    found = probe(server, run, saliency=True)
    assert found["saliency"]["first"] == 0
    model, vocabulary = latest_model(server, run, tmp_path)
    expected = saliency(model, vocabulary.encode(TEXT), state=model.state)
    step = expected.max(axis=1, keepdims=True) / 255
    assert (np.abs(saliencies(found) - expected) <= 0.51 * step + 1e-3 * expected).all()
    assert probe(server, run)["saliency"] is None


def test_saliency_of_a_long_text_is_of_the_selected_part(server, run, tmp_path):
    text = PAGES[:700] + "Ж" + PAGES[700:1_000]
    found = probe(server, run, text, saliency=True, index=650)
    first, (rows, columns) = found["saliency"]["first"], found["saliency"]["shape"]
    assert rows == columns == 400
    assert first <= 650 < first + rows
    model, vocabulary = latest_model(server, run, tmp_path)
    expected = saliency(model, vocabulary.encode(text[:651]), state=model.state)[650, first:]
    row = saliencies(found)[650 - first, : 651 - first]
    assert np.abs(row - expected).max() <= expected.max() / 250
    unknown = 700 - first
    assert not saliencies(found)[unknown].any()
    assert not saliencies(found)[:, unknown].any()
    assert probe(server, run, text, saliency=True)["saliency"]["first"] == 0


def test_the_probability_of_a_character_over_the_training(server, run):
    history = server.post(run, "probe/history", {"text": TEXT, "index": 30})
    assert history["update"] == server.get(run, "snapshots")["updates"]
    for update, p in zip(history["update"], history["probability"], strict=True):
        bits = probe(server, run, source={"update": update})["surprisal"][30]
        assert -math.log2(p) == pytest.approx(bits, abs=0.05)
    for text, index in [(TEXT, 0), ("aЖ", 1)]:
        none = server.post(run, "probe/history", {"text": text, "index": index})
        assert set(none["probability"]) == {None}


@pytest.mark.parametrize("what", ["probe", "probe/history"])
def test_an_index_beyond_the_text_is_refused(server, run, what):
    answer = server.client.post(f"/api/runs/{run['id']}/{what}", json={"text": "ab", "index": 2})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "index", "message": "must be less than 2, the text's length"}
    ]


def test_probes_during_training_change_no_byte(server):
    spec = {"corpus": server.upload(PAGES)["id"], "seed": 3, "max_updates": None} | SMALL
    probed, alone = server.create(**spec, pace=500), server.create(**spec, paused=True)
    updates = set()
    while len(updates) < 4:
        updates.add(probe(server, probed, saliency=True)["model"]["update"])
    made = server.post(probed, "pause")["update"]
    assert made >= max(updates)
    server.post(alone, "step", {"updates": made})
    (arrays, meta), (others, other) = (
        server.checkpoint_file(run, server.post(run, "checkpoints")["id"])
        for run in (probed, alone)
    )
    assert meta["trainer"] == other["trainer"]
    # How much of the history is in the database already depends on the time.
    arrays, others = (
        {name: array for name, array in each.items() if not name.startswith("unflushed.")}
        for each in (arrays, others)
    )
    assert arrays.keys() == others.keys()
    assert all(np.array_equal(array, others[name]) for name, array in arrays.items())


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        ({"text": ""}, "text", "at least 1 character"),
        ({"text": "a" * 2_001}, "text", "at most 2000 characters"),
        ({"text": "\ud800"}, "text", "must not contain half of a surrogate pair"),
        ({}, "text", "required"),
        ({"text": "a", "layer": 1}, "layer", "must be less than 1"),
        ({"text": "a", "top": 0}, "top", "greater than or equal to 1"),
        ({"text": "a", "temperature": -1}, "temperature", "greater than or equal to 0"),
        ({"text": "a", "source": "best_validation"}, "source", "no validation set"),
    ],
)
def test_bad_requests_name_the_field(server, run, request_, field, message):
    # The client refuses to send surrogates.
    answer = server.client.post(
        f"/api/runs/{run['id']}/probe",
        content=json.dumps(request_),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert message.lower() in error["message"].lower()


def test_the_suggested_text_is_a_passage_with_dialogue(server, run):
    suggested = server.get(run, "probe/text")
    start, text = suggested["position"], suggested["text"]
    assert PAGES[start : start + len(text)] == text
    assert text.count('"') >= 4


def test_no_exported_model_remains_after_its_readers(server):
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    probe(server, run)
    directory = server.data_dir / "runs" / run["id"] / "checkpoints"
    assert len(list(directory.glob(".*.npz"))) <= 1
