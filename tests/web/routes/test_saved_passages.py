"""Saved passages, and links to passages that stay valid during further training."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.serving import PAGES, RunningServer, until

SMALL = {"hidden_size": 20, "sample_length": 20, "checkpoint_every_s": 80_000, "max_updates": None}
SEEDED = {"seed": 7, "length": 120}


@pytest.fixture(scope="module")
def run(server):
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, paused=True, name="A small one", **SMALL)
    server.post(run, "step", {"updates": 300})
    return run


def write(server, run, **request):
    return server.post(run, "passages", SEEDED | request)


def exact(passage):
    return {"update": passage["source"]["update"], "model": passage["model"]}


def keep(server, run, passage, **more):
    answer = server.client.post(
        "/api/passages", json={"run": run["id"], "fingerprint": passage["fingerprint"], **more}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(server, **query):
    answer = server.client.get("/api/passages", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def train_on(server, run, updates=200):
    """Train until the best model is another one."""
    before = server.run(run)["best"]
    server.post(run, "step", {"updates": updates})
    assert server.run(run)["best"] != before


def test_a_saved_passage_survives_a_crash(serve):
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(run, "step", {"updates": 50})
    passage = write(server, run, prime="The ", top_k=9)
    kept = keep(server, run, passage, title="  A\n first \u202e\x07 one\u2066 ")
    assert kept["title"] == "A first one"
    assert kept["passages"] == [passage]
    assert kept["model_saved"]
    assert kept["request"] == {
        "source": exact(passage),
        "length": 120,
        "temperature": 1.0,
        "temperatures": None,
        "top_k": 9,
        "top_p": None,
        "prime": "The ",
        "seed": 7,
    }
    server.kill()
    again = serve("--no-demo")
    assert again.client.get(f"/api/passages/{kept['id']}").json() == kept
    again.post(run, "resume")
    again.until(run, lambda now: now["update"] > 300)
    rewritten = again.post(run, "passages", kept["request"])
    assert rewritten["text"] == passage["text"]
    assert rewritten["fingerprint"] == passage["fingerprint"]
    assert again.client.delete(f"/api/runs/{run['id']}").status_code == 204
    again.problem(again.client.get(f"/api/passages/{kept['id']}"), 404)
    assert listed(again)["total"] == 0


def test_a_shared_link_gives_the_same_text_after_more_training(server, run):
    passage = write(server, run)
    assert passage["source"]["kind"] == "best"
    shared = server.client.post(f"/api/runs/{run['id']}/models", json={"model": passage["model"]})
    assert shared.status_code == 204
    train_on(server, run)
    assert write(server, run)["text"] != passage["text"]
    again = write(server, run, source=exact(passage))
    assert again["text"] == passage["text"]
    assert again["source"] == passage["source"] | {"kind": "snapshot"}
    # Several passages at once from the same model, too.
    several = write(server, run, source=exact(passage), temperatures=[0.5, 1.0])["passages"]
    assert {each["model"] for each in several} == {passage["model"]}


def test_a_model_is_found_by_its_fingerprint(server, run):
    checkpoint = server.post(run, "checkpoints")
    for source in ("best", "latest", checkpoint["id"]):
        passage = write(server, run, source=source)
        assert write(server, run, source=exact(passage))["text"] == passage["text"]
    latest = write(server, run, source="latest")
    assert write(server, run, source=checkpoint["id"])["model"] == latest["model"]


def test_a_deleted_model_is_not_found(server, run):
    for source in [{"update": 123, "model": "0" * 24}, {"update": 300, "model": "f" * 24}]:
        answer = server.client.post(f"/api/runs/{run['id']}/passages", json={"source": source})
        assert "no longer exists" in server.problem(answer, 404)["detail"]
    answer = server.client.post(f"/api/runs/{run['id']}/models", json={"model": "0" * 24})
    server.problem(answer, 404)


def test_saving_is_idempotent_and_only_for_written_passages(server, run):
    passage = write(server, run, seed=11)
    kept = keep(server, run, passage)
    assert keep(server, run, passage) == kept
    before = listed(server)["total"]
    nothing = {"run": run["id"], "fingerprint": "0" * 24}
    server.problem(server.client.post("/api/passages", json=nothing), 409)
    forged = {"run": run["id"], "fingerprint": passage["fingerprint"], "text": "I wrote this"}
    server.problem(server.client.post("/api/passages", json=forged), 422)
    gone = {"run": "0" * 12, "fingerprint": passage["fingerprint"]}
    server.problem(server.client.post("/api/passages", json=gone), 404)
    assert listed(server)["total"] == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fingerprint": "0" * 24}, "run"),
        ({"run": "x"}, "fingerprint"),
        ({"run": "x", "fingerprint": "../../etc/passwd"}, "fingerprint"),
        ({"run": "x", "fingerprint": "0" * 24, "title": "x" * 201}, "title"),
        ({"run": "x", "fingerprint": "0" * 24, "title": "\ud800"}, "title"),
    ],
)
def test_wrong_fields_are_named(server, body, field):
    answer = server.client.post(
        "/api/passages", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert [each["field"] for each in server.problem(answer, 422)["errors"]] == [field]


def test_pages_are_newest_first_with_an_etag(server, run):
    kept = [keep(server, run, write(server, run, seed=seed)) for seed in range(20, 25)]
    first = listed(server, limit=3, run=run["id"])
    assert [each["id"] for each in first["passages"]] == [each["id"] for each in kept[:1:-1]]
    second = listed(server, limit=2, run=run["id"], before=first["next"])
    assert [each["id"] for each in second["passages"]] == [each["id"] for each in kept[1::-1]]
    [about] = first["runs"]
    assert (about["id"], about["name"]) == (run["id"], "A small one")
    assert about["passages"] == first["total"] >= 5
    assert listed(server, run="nobody")["passages"] == []
    for query in ({"limit": 0}, {"limit": 101}, {"before": ""}):
        server.problem(server.client.get("/api/passages", params=query), 422)

    tag = server.client.get("/api/passages").headers["etag"]
    unchanged = server.client.get("/api/passages", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    renamed = server.client.patch(f"/api/passages/{kept[0]['id']}", json={"title": "\u202eNew"})
    assert renamed.json()["title"] == "New"
    assert server.client.get("/api/passages", headers={"If-None-Match": tag}).status_code == 200
    assert server.client.delete(f"/api/passages/{kept[0]['id']}").status_code == 204
    server.problem(server.client.delete(f"/api/passages/{kept[0]['id']}"), 404)
    assert listed(server)["total"] == first["total"] - 1


def test_saved_passages_can_be_downloaded(server, run):
    several = write(server, run, seed=31, temperatures=[0.5, 1.0], prime="*The* ")["passages"]
    kept = keep(server, run, several[0], title="Two_of them")
    assert kept["passages"] == several
    for where in (f"/api/passages/{kept['id']}/file", f"/api/passages/file?run={run['id']}"):
        answer = server.client.get(where)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-disposition"].endswith('.txt"')
        for passage in several:
            assert passage["prime"] + passage["text"].strip("\n") in answer.text
        assert "Two_of them\n\nA small one, best model, update" in answer.text
    markdown = server.client.get(f"/api/passages/{kept['id']}/file", params={"format": "md"}).text
    assert markdown.startswith("## Two\\_of them\n\n*A small one, best model, update")
    assert "### Temperature 0.5\n\n\\*The\\* " in markdown
    wrong = server.client.get("/api/passages/file", params={"format": "pdf"})
    server.problem(wrong, 422)


def test_saved_passages_and_models_are_limited(serve):
    server = serve(
        "--no-demo",
        HURRAH_MAX_SAVED_PASSAGES="3",
        HURRAH_MAX_SAVED_MODELS="2",
    )
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, paused=True, **SMALL)
    written = []
    for _ in range(4):
        server.post(run, "step", {"updates": 10})
        written.append(write(server, run, source="latest"))

    def share(passage):
        return server.client.post(f"/api/runs/{run['id']}/models", json={"model": passage["model"]})

    def models():
        directory = server.data_dir / "runs" / run["id"] / "models"
        return {path.stem for path in directory.glob("*.npz")}

    # A shared model is replaced by one that a saved passage needs, but not vice versa.
    assert share(written[0]).status_code == 204
    assert keep(server, run, written[1])["model_saved"]
    assert keep(server, run, written[2])["model_saved"]
    assert models() == {written[1]["model"], written[2]["model"]}
    assert "HURRAH_MAX_SAVED_MODELS" in server.problem(share(written[0]), 409)["detail"]
    # The text is saved nevertheless.
    third = keep(server, run, written[3])
    assert not third["model_saved"]
    answer = server.client.post(
        "/api/passages",
        json={"run": run["id"], "fingerprint": write(server, run, seed=1)["fingerprint"]},
    )
    assert "3 passages (HURRAH_MAX_SAVED_PASSAGES)" in server.problem(answer, 409)["detail"]
    # A model is held only as long as its passage can be saved.
    held = server.data_dir / "runs" / run["id"] / "models" / "held"
    assert {path.stem for path in held.glob("*.npz")} == {each["model"] for each in written}
    # Deleting a passage frees space.
    assert server.client.delete(f"/api/passages/{third['id']}").status_code == 204
    assert keep(server, run, written[0])["id"]


def test_viewers_can_read_saved_passages_but_not_save(tmp_path):
    with RunningServer(tmp_path / "data", "--no-demo", "--host", "0.0.0.0") as server:
        token = parse_qs(urlsplit(server.greeting.rsplit(" ", 1)[1]).query)["token"][0]
        bearer = {"Authorization": f"Bearer {token}"}
        spec = {"paused": True, "hidden_size": 5, "sample_length": 10}
        run = server.client.post("/api/runs", json=spec, headers=bearer).json()
        passage = write(server, run)
        wanted = {"run": run["id"], "fingerprint": passage["fingerprint"]}
        for method, path, body in [
            ("POST", "/api/passages", wanted),
            ("PATCH", "/api/passages/0", {"title": "x"}),
            ("DELETE", "/api/passages/0", None),
            ("POST", f"/api/runs/{run['id']}/models", {"model": passage["model"]}),
        ]:
            server.problem(server.client.request(method, path, json=body), 401)
        # A passage written for a viewer cannot be saved, not even by the operator.
        answer = server.client.post("/api/passages", json=wanted, headers=bearer)
        server.problem(answer, 409)
        assert write(server, run, source=exact(passage))["text"] == passage["text"]
        assert listed(server)["passages"] == []
        assert server.client.get("/api/passages/file").text == ""


def test_a_model_that_cannot_be_saved_is_not_held(serve):
    server = serve("--no-demo", HURRAH_MAX_SAVED_MODELS_BYTES="1000")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    passage = write(server, run)
    assert not (server.data_dir / "runs" / run["id"] / "models").exists()
    kept = keep(server, run, passage)
    assert not kept["model_saved"]
    assert kept["passages"] == [passage]
    answer = server.client.post(f"/api/runs/{run['id']}/models", json={"model": passage["model"]})
    server.problem(answer, 404)


def test_the_models_of_cancelled_passages_are_deleted(serve):
    """The operator's passages store their models, in case that they are saved."""
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, paused=True, hidden_size=500, sample_length=1)
    held = server.data_dir / "runs" / run["id"] / "models" / "held"
    path = f"/api/runs/{run['id']}/passages?stream=true"
    for update in range(3):
        server.post(run, "step", {"updates": 1})
        asked = {"source": "latest", "length": 20_000}
        with server.client.stream("POST", path, json=asked) as answer:
            assert answer.status_code == 200
            # The model is stored before the first piece is sent. Without a reference to it, the
            # iterator would close the connection.
            lines = answer.iter_lines()
            next(lines)
            assert len(list(held.glob("*.npz"))) == 1, update
        until(lambda: not list(held.iterdir()))
    passage = write(server, run)
    assert [each.stem for each in held.iterdir()] == [passage["model"]]
    assert keep(server, run, passage)["model_saved"]
