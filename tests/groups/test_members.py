"""Groups over HTTP: creating them, adding seeds, and what happens to their members."""

import pytest

from tests.serving import PAGES

SMALL = {"hidden_size": 4, "sequence_length": 10, "sample_length": 20, "max_updates": 30}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(autouse=True)
def _no_runs_left(server):
    yield
    server.delete_runs()


def create_group(server, corpus, *, seeds, name=None, **spec):
    body = {"spec": SMALL | {"corpus": corpus} | spec, "seeds": seeds}
    answer = server.client.post("/api/groups", json=body | ({} if name is None else {"name": name}))
    assert answer.status_code == 201, answer.text
    return answer.json()


def groups(server):
    return server.client.get("/api/groups").json()


def seeds_of(runs):
    return [run["spec"]["seed"] for run in runs]


def test_a_group_has_runs_that_differ_in_seed_and_name_alone(server, corpus):
    made = create_group(server, corpus, seeds=3, name="Tiny", seed=7, learning_rate=0.05)
    group, runs = made["group"], made["runs"]
    assert seeds_of(runs) == [7, 8, 9]
    assert [run["name"] for run in runs] == ["Tiny, seed 7", "Tiny, seed 8", "Tiny, seed 9"]
    assert [run["group"] for run in runs] == [{"id": group["id"], "name": "Tiny"}] * 3
    others = [
        {name: value for name, value in run["spec"].items() if name not in {"seed", "name"}}
        for run in runs
    ]
    assert others == [others[0]] * 3
    assert group["runs"] == [run["id"] for run in runs]
    assert groups(server) == [group]
    assert server.client.get(f"/api/groups/{group['id']}").json() == group
    losses = {server.losses_csv(server.until_ended(run)) for run in runs}
    assert len(losses) == 3


def test_a_run_becomes_the_first_of_its_group_and_the_seeds_go_on(server, corpus):
    first = server.create(corpus=corpus, name="n" * 120, seed=5, paused=True, **SMALL)
    assert first["group"] is None
    made = server.post(first, "seeds", {"seeds": 2})
    assert seeds_of(made["runs"]) == [6, 7]
    assert made["runs"][0]["name"] == "n" * 112 + ", seed 6"
    assert made["group"]["runs"] == [first["id"], *(run["id"] for run in made["runs"])]
    assert server.run(first)["group"] == {"id": made["group"]["id"], "name": "n" * 120}
    # The first waits as it was told to; the others train.
    assert server.run(first)["state"] == "paused"
    server.until_ended(made["runs"][1])
    # A gap is filled, whichever member is asked; an earlier seed is not taken.
    server.client.delete(f"/api/runs/{made['runs'][0]['id']}")
    more = server.post(first, "seeds", {"seeds": 2})
    assert seeds_of(more["runs"]) == [6, 8]
    assert seeds_of(server.post(made["runs"][1], "seeds", {"seeds": 1})["runs"]) == [9]
    [group] = groups(server)
    assert group["id"] == made["group"]["id"]
    assert len(group["runs"]) == 5


def test_a_group_ends_with_its_last_run_and_can_be_deleted_whole(server, corpus):
    alone = create_group(server, corpus, seeds=1, name="alone")
    pair = create_group(server, corpus, seeds=2, name="pair")
    assert [group["name"] for group in groups(server)] == ["pair", "alone"]
    server.client.delete(f"/api/runs/{alone['runs'][0]['id']}")
    assert groups(server) == [pair["group"]]
    assert server.client.delete(f"/api/groups/{pair['group']['id']}").status_code == 204
    assert (groups(server), server.client.get("/api/runs").json()) == ([], [])
    again = server.client.delete(f"/api/groups/{pair['group']['id']}")
    assert server.problem(again, 404)["detail"].startswith("There is no group")


def test_a_renamed_group_renames_the_runs_that_have_its_name(server, corpus):
    first = server.create(corpus=corpus, name="Old", seed=5, paused=True, **SMALL)
    second, third = server.post(first, "seeds", {"seeds": 2})["runs"]
    server.client.patch(f"/api/runs/{third['id']}", json={"name": "Mine"})
    [group] = groups(server)
    path = f"/api/groups/{group['id']}"
    answer = server.client.patch(path, json={"name": "New"})
    assert (answer.status_code, answer.json()) == (200, group | {"name": "New"})
    now = [server.run(run) for run in (first, second, third)]
    assert [run["name"] for run in now] == ["New", "New, seed 6", "Mine"]
    assert [run["group"] for run in now] == [{"id": group["id"], "name": "New"}] * 3
    [more] = server.post(third, "seeds", {"seeds": 1})["runs"]
    assert more["name"] == "New, seed 8"
    for wrong in ({}, {"name": ""}, {"name": None}, {"name": "n" * 121}, {"title": "x"}):
        server.problem(server.client.patch(path, json=wrong), 422)
    server.problem(server.client.patch("/api/groups/nothing", json={"name": "x"}), 404)
    assert [each["name"] for each in groups(server)] == ["New"]


def test_a_fork_and_an_import_of_a_member_are_in_no_group(server, corpus):
    [member, _] = create_group(server, corpus, seeds=2)["runs"]
    server.until_ended(member)
    fork = {"checkpoint": "latest", "spec": {"max_updates": 40}}
    assert server.post(member, "fork", fork)["group"] is None
    archive = server.client.get(f"/api/runs/{member['id']}/export").content
    imported = server.client.post("/api/runs/import", files={"file": ("a.zip", archive)})
    assert imported.json()["group"] is None
    [group] = groups(server)
    assert len(group["runs"]) == 2


def test_a_run_that_its_spec_does_not_describe_gets_no_seeds(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(run, "step", {"updates": 5})
    fork = server.post(run, "fork", {"checkpoint": "latest", "spec": {"paused": True}})
    server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.01})
    for refused, reason in ((fork, "is a fork"), (run, "changed at update 5")):
        answer = server.client.post(f"/api/runs/{refused['id']}/seeds", json={"seeds": 2})
        assert reason in server.problem(answer, 409)["detail"]
    assert groups(server) == []


def test_the_learning_rate_of_one_member_cannot_be_changed(server, corpus):
    [member, _] = create_group(server, corpus, seeds=2, name="Alike", paused=True)["runs"]
    path = f"/api/runs/{member['id']}"
    refused = server.client.patch(path, json={"learning_rate": 0.5})
    assert "'Alike'" in server.problem(refused, 409)["detail"]
    kept = {"learning_rate": member["spec"]["learning_rate"], "max_updates": 40}
    assert server.client.patch(path, json=kept).status_code == 200


def test_wrong_requests_create_nothing(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    for seeds in (0, -1, 21, 1.5, "3", None, True):
        server.problem(
            server.client.post(f"/api/runs/{run['id']}/seeds", json={"seeds": seeds}), 422
        )
        server.problem(server.client.post("/api/groups", json={"spec": {}, "seeds": seeds}), 422)
    for field, body in (
        ("spec", {"seeds": 2}),
        ("spec", {"spec": 3, "seeds": 2}),
        ("spec.hidden_size", {"spec": {"hidden_size": 0}, "seeds": 2}),
        ("spec.hiden_size", {"spec": {"hiden_size": 5}, "seeds": 2}),
    ):
        wrong = server.problem(server.client.post("/api/groups", json=body), 422)
        assert [error["field"] for error in wrong["errors"]] == [field]
    last = {"spec": {"seed": 2**63 - 2}, "seeds": 3}
    wrong = server.problem(server.client.post("/api/groups", json=last), 422)
    assert [error["field"] for error in wrong["errors"]] == ["seed"]
    server.problem(server.client.post("/api/runs/nothing/seeds", json={"seeds": 2}), 404)
    assert (groups(server), len(server.client.get("/api/runs").json())) == ([], 1)


def test_all_members_are_created_or_none(serve):
    server = serve("--no-demo", HURRAH_MAX_RUNS="3")
    refused = server.client.post("/api/groups", json={"spec": SMALL, "seeds": 4})
    assert "3 runs" in server.problem(refused, 409)["detail"]
    assert server.client.get("/api/runs").json() == []
    assert list((server.data_dir / "runs").iterdir()) == []
    made = server.client.post("/api/groups", json={"spec": SMALL, "seeds": 3}).json()
    path = f"/api/groups/{made['group']['id']}"
    made["group"] = server.client.patch(path, json={"name": "Kept"}).json()
    # They survive a start, and so does the new name.
    server.terminate()
    server = serve("--no-demo", data_dir=server.data_dir)
    assert groups(server) == [made["group"]]
    found = server.client.get("/api/runs").json()
    assert [run["group"]["name"] for run in found] == ["Kept"] * 3
    assert found[0]["name"] == "Kept, seed 2"
