"""A loss that runs away stops the run where it can still go on."""


def runaway(server, **more):
    """Make a run that is certain to run away."""
    return server.create(
        optimizer="sgd",
        learning_rate=1e37,
        clip=None,
        init_scale=1.0,
        hidden_size=20,
        max_updates=None,
        **more,
    )


def test_it_goes_back_pauses_and_says_what_to_try(server):
    run = runaway(server)
    stood = server.until(run, lambda now: now["error"] is not None)
    assert stood["state"] == "paused"
    assert stood["update"] == 0
    assert "not a finite number at update" in stood["error"]
    assert "learning rate" in stood["error"]
    [mark] = server.get(run, "milestones")
    assert (mark["kind"], mark["update"], mark["text"]) == ("rollback", 0, stood["error"])
    assert server.get(run, "loss")["update"] == []
    assert len(server.post(run, "passages", {"length": 50})["text"]) == 50


def test_it_goes_back_to_the_last_good_checkpoint_and_goes_on_with_better_settings(server):
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


def test_a_step_that_runs_away_is_answered(server):
    run = runaway(server, paused=True)
    answer = server.client.post(f"/api/runs/{run['id']}/step", json={"updates": 10_000})
    assert answer.status_code == 409
    assert "ended early" in answer.json()["detail"]
    server.until(run, lambda now: now["error"] is not None)


def test_it_goes_back_once_however_often_its_process_says_so(server):
    # Samples that take a while to be measured keep the process for that long.
    run = runaway(server, sample_every=1, sample_length=20_000)
    number = 0
    while server.run(run)["error"] is None:
        server.client.patch(f"/api/runs/{run['id']}", json={"name": f"n{(number := number + 1)}"})
    server.client.patch(f"/api/runs/{run['id']}", json={"name": "the last"})
    assert server.post(run, "pause")["update"] == 0
    marks = [mark["kind"] for mark in server.get(run, "milestones")]
    assert marks.count("rollback") == 1
    server.client.delete(f"/api/runs/{run['id']}")
