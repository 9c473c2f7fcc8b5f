"""A run whose loss diverges goes back to its newest checkpoint and pauses."""

import json
import math

from websockets.sync.client import connect

from tests.serving import until


def diverging_run(server, **more):
    """Create a run that is certain to diverge."""
    return server.create(
        optimizer="sgd",
        learning_rate=1e37,
        clip=None,
        init_scale=1.0,
        hidden_size=20,
        max_updates=None,
        **more,
    )


def test_a_diverged_run_goes_back_pauses_and_explains(server):
    run = diverging_run(server)
    stood = server.until(run, lambda now: now["error"] is not None)
    assert stood["state"] == "paused"
    assert stood["update"] == 0
    assert "not a finite number at update" in stood["error"]
    assert "learning rate" in stood["error"]
    [milestone] = server.get(run, "milestones")
    assert (milestone["kind"], milestone["update"]) == ("rollback", 0)
    assert milestone["text"] == stood["error"]
    assert server.get(run, "loss")["update"] == []
    assert len(server.post(run, "passages", {"length": 50})["text"]) == 50


def test_a_pause_after_a_loss_that_is_not_finite_is_never_without_its_reason(server):
    run = diverging_run(server, paused=True)
    address = f"{server.ws_url}/ws/runs/{run['id']}"
    with connect(address) as socket:
        server.post(run, "resume")
        states = []
        for text in socket:
            message = json.loads(text)
            if message["type"] in {"state", "snapshot"}:
                now = message["run_state"]
                states.append((now["state"], now["error"]))
            if states and states[-1][1] is not None:
                break
    # Before it trained, the run was paused by its spec.
    trained = [state for state, _ in states].index("running")
    assert {state for state, _ in states[trained:-1]} == {"running"}
    state, error = states[-1]
    assert state == "paused"
    assert "not a finite number" in error
    assert "went back to update 0" in error


def test_a_pause_that_arrives_before_the_run_has_gone_back_waits_for_it(server):
    # The worker is not stopped before its samples, which take a while, are measured.
    run = diverging_run(server, sample_every=1, sample_length=20_000)
    # If this process stalls, the run may have gone back already.
    server.until(run, lambda now: now["update"] > 0 or now["error"] is not None)
    paused = server.post(run, "pause")
    assert (paused["state"], paused["update"]) == ("paused", 0)
    assert "not a finite number" in paused["error"]
    milestones = [milestone["kind"] for milestone in server.get(run, "milestones")]
    assert milestones.count("rollback") == 1


def diverge_to_a_finite_loss(server, **more):
    """Return a run at update 30 whose learning rate is far too high from then on."""
    run = server.create(
        optimizer="sgd", learning_rate=0.01, hidden_size=20, paused=True, clip=5.0, **more
    )
    server.post(run, "step", {"updates": 30})
    assert server.run(run)["diverged_since"] is None
    changed = server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 1e4})
    assert changed.status_code == 200
    return run


def test_a_run_whose_loss_runs_away_to_a_finite_value_says_so(server):
    run = diverge_to_a_finite_loss(server, max_updates=400)
    server.post(run, "resume")
    ended = server.until(run, lambda now: now["state"] == "finished")
    assert ended["error"] is None
    rows = server.losses_csv(run).decode().splitlines()[1:]
    losses = [float(row.split(",")[3]) for row in rows]
    corpora = server.client.get("/api/corpora").json()
    [corpus] = [each for each in corpora if each["id"] == run["corpus"]]
    limit = 3 * 25 * math.log(corpus["distinct"])
    low = max(update for update, loss in enumerate(losses, 1) if loss <= limit)
    assert ended["diverged_since"] == low + 1
    said = [each["text"] for each in server.get(run, "milestones")]
    assert (
        f"The training diverged at update {low + 1:,}: since then the loss has been more than 3"
        " times that of random guessing."
    ) in said


def test_the_newest_automatic_checkpoint_before_a_divergence_is_kept_to_go_back_to(server):
    run = diverge_to_a_finite_loss(server, max_updates=None, checkpoint_every_s=1)
    server.post(run, "resume")

    def automatic():
        return [each["update"] for each in server.get(run, "checkpoints") if each["automatic"]]

    diverged = server.until(run, lambda now: now["diverged_since"] is not None)
    since = diverged["diverged_since"]
    # Several times as many as are kept otherwise.
    for _ in range(4):
        newest = automatic()[-1]
        until(lambda before=newest: automatic()[-1] > before)
    kept = automatic()
    assert len(kept) == 3
    assert kept[0] < since < kept[1]
    server.post(run, "stop")
    [good] = [each for each in server.get(run, "checkpoints") if each["update"] == kept[0]]
    spec = {"learning_rate": 0.01, "max_updates": 200}
    fork = server.post(run, "fork", {"checkpoint": good["id"], "spec": spec})
    back = server.until(fork, lambda now: now["state"] == "finished")
    assert back["diverged_since"] is None


def test_a_diverged_run_resumes_from_the_last_checkpoint_with_a_lower_learning_rate(server):
    run = server.create(
        optimizer="sgd",
        learning_rate=0.01,
        hidden_size=20,
        max_updates=None,
        clip=None,
        paused=True,
    )
    server.post(run, "step", {"updates": 30})
    server.post(run, "checkpoints", {"note": "good"})
    server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 1e37})
    server.post(run, "resume")
    stood = server.until(run, lambda now: now["error"] is not None)
    assert (stood["state"], stood["update"]) == ("paused", 30)
    assert server.get(run, "loss")["to"] == 30
    answer = server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.01})
    assert answer.status_code == 200
    after = server.post(run, "step", {"updates": 20})
    assert (after["update"], after["state"]) == (50, "paused")
    server.post(run, "resume")
    gone_on = server.until(run, lambda now: now["update"] > 60)
    assert (gone_on["state"], gone_on["error"]) == ("running", None)
    server.client.delete(f"/api/runs/{run['id']}")


def test_a_step_that_diverges_is_answered(server):
    run = diverging_run(server, paused=True)
    answer = server.client.post(f"/api/runs/{run['id']}/step", json={"updates": 10_000})
    assert answer.status_code == 409
    assert "ended early" in answer.json()["detail"]
    server.until(run, lambda now: now["error"] is not None)


def test_a_diverged_run_goes_back_once_despite_repeated_reports(server):
    # The worker is not stopped before its samples, which take a while, are measured.
    run = diverging_run(server, sample_every=1, sample_length=20_000)
    number = 0
    while server.run(run)["error"] is None:
        server.client.patch(f"/api/runs/{run['id']}", json={"name": f"n{(number := number + 1)}"})
    server.client.patch(f"/api/runs/{run['id']}", json={"name": "the last"})
    assert server.post(run, "pause")["update"] == 0
    milestones = [milestone["kind"] for milestone in server.get(run, "milestones")]
    assert milestones.count("rollback") == 1
    server.client.delete(f"/api/runs/{run['id']}")
