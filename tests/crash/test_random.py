"""kill -9 at any moment: of the workers, of the server, of both; `make soak` does it 500 times."""

import random
import time

WHO = ("worker", "server", "both")
# Long enough for a few commits, samples and checkpoints.
LONGEST_S = 1.2
# New runs are created after so many kills, because reference runs are computed from the start.
RUNS_LAST = 40


def test_nothing_is_lost_corrupted_or_duplicated_at_any_moment(harness, kill):
    chance = random.Random(kill)
    if kill and kill % RUNS_LAST == 0:
        harness.begin()
    actions = chance.sample(actions_on(harness, chance), k=chance.randint(0, 3))
    training = harness.train(*actions)
    # This waits for nothing: the kill is to come at a random moment.
    time.sleep(chance.uniform(0, LONGEST_S))
    who = chance.choice(WHO)
    harness.kill(who)
    training.join()
    if who != "worker":
        harness.start(automatic_resume=chance.random() < 0.3)
    harness.check()


def actions_on(harness, chance):
    """Return actions of a user on a random run; none of them changes what it learns."""
    server = harness.server
    which = chance.randrange(len(harness.runs))
    run, _ = harness.runs[which]
    return [
        lambda: harness.checkpoint(which),
        lambda: harness.checkpoint(which),
        lambda: server.post(run, "passages", {"length": 50}),
        lambda: server.post(run, "pause"),
        lambda: server.post(run, "pause") and server.post(run, "step", {"updates": 7}),
        lambda: server.client.patch(f"/api/runs/{run['id']}", json={"name": f"n{chance.random()}"}),
        lambda: server.client.get(f"/api/runs/{run['id']}/checkpoints/latest/file"),
    ]
