"""A run whose loss diverges goes back to its newest checkpoint and pauses."""


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
