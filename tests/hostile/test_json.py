"""Unusual JSON, and numbers out of range."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.spec.run_spec import RunSpec

JSON = {"Content-Type": "application/json"}
SMALL = {"hidden_size": 3, "sample_length": 5, "paused": True}


@pytest.fixture(scope="module", autouse=True)
def _no_runs_left(server):
    yield
    server.delete_runs()


FIELDS = list(RunSpec.model_fields)
OTHER_FIELDS = [
    *("length", "temperature", "top_k", "top_p", "prime", "seed", "source", "temperatures"),
    *("updates", "note", "checkpoint", "spec", "update", "text", "kind"),
]
# Python's JSON parser accepts more than the standard, and other clients may send it.
NUMBERS = st.one_of(
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.sampled_from([10**400, -(10**4_000), 1e400, -0.0, 2**63, 2**64, True, False]),
)
TEXTS = st.text(st.characters(codec=None), max_size=300)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
ALWAYS_THE_SAME = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=30,
    suppress_health_check=list(HealthCheck),
)

ODD = {
    "nothing": b"",
    "half an object": b'{"name": ',
    "a deep list": b"[" * 900 + b"]" * 900,
    "a deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "a very deep list": b"[" * 100_000 + b"]" * 100_000,
    "NaN": b'{"learning_rate": NaN}',
    "infinity": b'{"learning_rate": -Infinity}',
    "a float beyond floats": b'{"learning_rate": 1e999}',
    "an integer beyond floats": b'{"learning_rate": 1' + b"0" * 400 + b"}",
    "an integer beyond integers": b'{"seed": ' + b"9" * 4_000 + b"}",
    "an integer that takes long to read": b'{"seed": ' + b"9" * 900_000 + b"}",
    "a pace beyond floats": b'{"pace": 1' + b"0" * 400 + b"}",
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "half a pair as a field": b'{"\\udc00": 1}',
    "half a pair in a list": b'{"watch_words": ["\\udfff"]}',
    "half a pair as a choice": b'{"cell": "\\ud800"}',
    "half a pair as a text": b'{"corpus": "\\ud800"}',
    "a NUL as a text": b'{"corpus": "\\u0000"}',
    "a path as a text": b'{"corpus": "../../etc/passwd"}',
    "a text without end": b'{"corpus": "' + b"x" * 900_000 + b'"}',
    "a choice without end": b'{"cell": "' + b"x" * 900_000 + b'"}',
    "a wrong field twice": b'{"seed": 1, "seed": "x"}',
    "a byte-order mark": b'\xef\xbb\xbf{"seed": "x"}',
    "another encoding": '{"seed": "x"}'.encode("utf-16"),
    "no encoding": b'{"name": "\xff"}',
    "a comment": b'{"seed": 1 /* one */}',
    "single quotes": b"{'seed': 1}",
    "too many fields": json.dumps({f"f{number}": 1 for number in range(20_000)}).encode(),
    "a field without end": b'{"' + b"x" * 900_000 + b'": 1}',
}


@pytest.mark.parametrize("what", ODD)
def test_odd_json_gets_one_sentence_and_changes_nothing(server, what):
    answer = server.client.post("/api/runs", content=ODD[what], headers=JSON)
    assert answer.status_code in {400, 422}, answer.text
    server.problem(answer, answer.status_code)
    assert len(answer.content) < 20_000, "an answer is not as long as what it is about"
    assert server.client.get("/api/runs").json() == []


def test_unusual_but_valid_json_is_accepted(server):
    content = b' {"seed": 1, "seed": 2, "name": "\\u0000a\\u202eb\\ud83d\\ude00", "pace": 1E+2,'
    content += json.dumps(SMALL).encode().strip()[1:]
    answer = server.client.post("/api/runs", content=content, headers=JSON)
    run = answer.json()
    assert answer.status_code == 201, answer.text
    assert (run["spec"]["seed"], run["spec"]["pace"]) == (2, 100)
    assert server.client.get(f"/api/runs/{run['id']}").json()["name"] == run["name"]
    server.delete_runs()


@ALWAYS_THE_SAME
@given(
    st.sampled_from(["create", "estimate", "change", "fork"]),
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5) | ANYTHING,
)
def test_no_invalid_spec_causes_a_server_error(server, where, body):
    # Two fields make the spec invalid, whatever the others are.
    wrong = body | {"hidden_size": 0, "unknown": 1} if isinstance(body, dict) else body
    method, path = "POST", "/api/estimate" if where == "estimate" else "/api/runs"
    if where == "change":
        method, path = "PATCH", f"/api/runs/{a_run(server)}"
    elif where == "fork":
        path = f"/api/runs/{a_run(server)}/fork"
        wrong = {"checkpoint": "latest", "spec": 0 if wrong is None or wrong == {} else wrong}
    answer = server.client.request(method, path, content=json.dumps(wrong).encode(), headers=JSON)
    assert answer.status_code in {400, 422}, answer.text
    server.problem(answer, answer.status_code)


@ALWAYS_THE_SAME
@given(
    st.sampled_from(["passages", "step", "checkpoints", "fork", "milestones"]),
    st.dictionaries(
        st.sampled_from(OTHER_FIELDS),
        ANYTHING,
        max_size=3,
    ),
)
def test_no_invalid_body_causes_a_server_error(server, where, body):
    # With an unknown field nothing is executed.
    body |= {"unknown": 1}
    content = json.dumps(body).encode()
    run = a_run(server)
    answer = server.client.post(f"/api/runs/{run}/{where}", content=content, headers=JSON)
    assert answer.status_code in {400, 422}, answer.text
    server.problem(answer, answer.status_code)


@ALWAYS_THE_SAME
@given(
    st.sampled_from(["passages", "checkpoints", "milestones", "change"]),
    st.dictionaries(st.sampled_from(["name", "pace", "note", *OTHER_FIELDS]), ANYTHING, max_size=2),
    st.booleans(),
)
def test_no_body_causes_a_server_error(server, where, body, sound):
    if sound and where != "change":
        body |= {"passages": {"length": 7}, "milestones": {"update": 0, "text": "a"}}.get(where, {})
    path, method = f"/api/runs/{a_run(server)}", "PATCH" if where == "change" else "POST"
    path += "" if where == "change" else f"/{where}"
    answer = server.client.request(method, path, content=json.dumps(body).encode(), headers=JSON)
    if answer.status_code not in {200, 201}:
        assert answer.status_code in {400, 404, 409, 422}, answer.text
        server.problem(answer, answer.status_code)


WORDS = st.text(min_size=1, max_size=60)
SOUND = st.fixed_dictionaries(
    {},
    optional={
        "cell": st.sampled_from(list(CELLS)),
        "hidden_size": st.integers(1, 6),
        "layers": st.integers(1, 3),
        "dropout": st.floats(0, 1, exclude_max=True),
        "sequence_length": st.integers(1, 20),
        "batch_size": st.integers(1, 5),
        "optimizer": st.sampled_from(["adagrad", "adam", "rmsprop", "sgd"]),
        "learning_rate": st.floats(0, 1e6),
        "learning_rate_decay": st.floats(0, 1, exclude_min=True),
        "clip": st.none() | st.floats(0, 1e6),
        "clip_mode": st.sampled_from(["value", "norm"]),
        "init_scale": st.none() | st.floats(0, 100),
        "test_fraction": st.floats(0, 0.9),
        "order": st.sampled_from(["sequential", "shuffled"]),
        "validation_fraction": st.floats(0, 0.9),
        "seed": st.integers(0, 2**63 - 1),
        "dtype": st.sampled_from(["float32", "float64"]),
        "threads": st.integers(1, 4),
        "max_updates": st.none() | st.integers(1, 10),
        "sample_every": st.integers(1, 10**12),
        "sample_length": st.integers(1, 40),
        "checkpoint_every_s": st.floats(1, 86_400),
        "pace": st.sampled_from(["max", "cinematic"]) | st.floats(0.01, 1e6),
        "watch_words": st.none() | st.lists(WORDS, max_size=3),
        "name": WORDS,
    },
)


def test_every_accepted_run_can_be_controlled(server):
    accepted = []

    @settings(ALWAYS_THE_SAME, max_examples=6)
    @given(SOUND, st.integers(1, 3))
    def check(spec, updates):
        accepted.append(control_if_accepted(server, spec, updates))

    check()
    # Others are refused, such as those whose held-out part is too short for a sequence.
    assert accepted.count(True) > len(accepted) / 2


def control_if_accepted(server, spec, updates):
    """Send each command to a run; return whether it was accepted."""
    server.delete_runs()
    content = json.dumps({"sample_length": 5, **spec, "paused": True}).encode()
    answer = server.client.post("/api/runs", content=content, headers=JSON)
    if answer.status_code != 201:
        server.problem(answer, 422)
        return False
    here = f"/api/runs/{answer.json()['id']}"
    for path, body in [
        ("step", {"updates": updates}),
        ("passages", {"length": 5}),
        ("checkpoints", {}),
        ("fork", {"checkpoint": "latest", "spec": {"paused": True}}),
        ("stop", None),
        ("resume", None),
    ]:
        answer = server.client.post(f"{here}/{path}", json=body)
        # The loss may diverge, or the fork may be past its last update.
        assert answer.status_code in {200, 201, 409, 422}, (path, answer.text)
        assert server.client.get(here).json()["state"] != "failed", path
    for path in ("loss", "samples", "milestones", "loss/positions", "losses.csv", "surprisal"):
        assert server.client.get(f"{here}/{path}").status_code in {200, 409}, path
    return True


def a_run(server):
    runs = server.client.get("/api/runs").json()
    return runs[0]["id"] if runs else server.create(**SMALL)["id"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"top_k": 10**30}, 200),
        ({"top_k": 2**63}, 200),
        ({"top_p": 5e-324}, 200),
        ({"temperature": 5e-324}, 200),
        ({"temperature": 1e-300}, 200),
        ({"temperatures": [0, 1e-300, 100]}, 200),
        ({"seed": 2**63 - 1}, 200),
        ({"source": {"update": 10**30}}, 200),
        ({"source": "../../hurrah.db"}, 404),
        ({"source": "\x00"}, 404),
        ({"prime": "\x00\u202e" * 100}, 200),
        ({"prime": "x" * 10_000, "length": 1}, 200),
    ],
)
def test_extreme_passage_requests_are_harmless(server, request_, status):
    run = a_run(server)
    answer = server.client.post(f"/api/runs/{run}/passages", json={"length": 20} | request_)
    assert answer.status_code == status, answer.text
    if status == 200:
        shown = answer.json()
        for passage in shown.get("passages", [shown]):
            assert len(passage["text"]) == (request_.get("length") or 20)
