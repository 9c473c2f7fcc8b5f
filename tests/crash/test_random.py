"""kill -9 at any moment: of the workers, of the server, of both; `make soak` does it 500 times."""

import random
import time

WHO = ("worker", "server", "both")
# Long enough for a few commits, samples and checkpoints to be under way.
LONGEST_S = 1.2
# After so many kills new runs are made: what is undisturbed is worked out from their start.
RUNS_LAST = 40


def test_nothing_is_lost_torn_or_doubled_whenever_it_happens(survivor, kill):
    chance = random.Random(kill)
    if kill and kill % RUNS_LAST == 0:
        survivor.begin()
    deeds = chance.sample(deeds_of(survivor, chance), k=chance.randint(0, 3))
    training = survivor.train(*deeds)
    # Not a wait for something: the moment itself is what is tried.
    time.sleep(chance.uniform(0, LONGEST_S))
    who = chance.choice(WHO)
    survivor.kill(who)
    training.join()
    if who != "worker":
        survivor.start(automatic_resume=chance.random() < 0.3)
    survivor.check()


def deeds_of(survivor, chance):
    """What people may do with a run meanwhile; none of it changes what it learns."""
    server = survivor.server
    which = chance.randrange(len(survivor.runs))
    run, _ = survivor.runs[which]
    return [
        lambda: survivor.checkpoint(which),
        lambda: survivor.checkpoint(which),
        lambda: server.post(run, "passages", {"length": 50}),
        lambda: server.post(run, "pause"),
        lambda: server.post(run, "pause") and server.post(run, "step", {"updates": 7}),
        lambda: server.client.patch(f"/api/runs/{run['id']}", json={"name": f"n{chance.random()}"}),
        lambda: server.client.get(f"/api/runs/{run['id']}/checkpoints/latest/file"),
    ]
