"""Whatever a person does, a run gives the same on another machine as on the server's."""

import pytest

from tests.cluster.conftest import SPEC
from tests.serving import PAGES

pytestmark = pytest.mark.process

# What depends on the clock, the machine or chance.
VOLATILE = {"id", "created_at", "seconds", "machine", "parent", "run", "corpus", "corpus_name"}
VOLATILE |= {"updates_per_second", "forked_from", "checkpoint", "bytes", "fingerprint", "model"}


def lasting(value):
    """Return JSON without what may differ between two runs of the same spec."""
    if isinstance(value, dict):
        return {name: lasting(each) for name, each in value.items() if name not in VOLATILE}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def results(server):
    """Do everything once, and return what the server answered."""
    corpus = server.upload(PAGES, name="pages")["id"]
    run = server.create(corpus=corpus, name="run", max_updates=None, paused=True, **SPEC)
    found = [server.post(run, "step", {"updates": 30})]
    path = f"/api/runs/{run['id']}"
    change = {"learning_rate": 0.05, "pace": 100, "sample_every": 40}
    found.append(server.client.patch(path, json=change).json())
    found.append(server.post(run, "step", {"updates": 20}))
    checkpoint = server.post(run, "checkpoints", {"note": "here"})
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] > 60)
    paused = server.post(run, "pause")
    found.append(server.post(run, "step", {"updates": 200 - paused["update"]}))
    for source in ("best", "latest", {"update": 10}, checkpoint["id"]):
        request = {"source": source, "length": 30, "seed": 1}
        found.append(server.post(run, "passages", request))
    probe = {"text": "the lamp", "source": "latest", "top": 3, "saliency": True}
    found += [server.post(run, "probe", probe), server.get(run, "unrolled")]
    found.append(server.get(run, "loss", points=20) | {"seconds": None})
    fork = server.post(run, "fork", {"checkpoint": checkpoint["id"], "spec": {"max_updates": 90}})
    found.append(server.until_ended(fork))
    server.client.patch(path, json={"max_updates": 260, "pace": "max"})
    server.post(run, "resume")
    found.append(server.until_ended(run))
    found += [server.get(run, kind) for kind in ("samples", "milestones", "snapshots")]
    found.append(server.get(run, "metrics", points=5))
    return [*map(lasting, found), server.losses_csv(run), server.losses_csv(fork)]


def test_a_remote_run_gives_the_same_as_a_local_one(server, shared_server):
    for remote, local in zip(results(server), results(shared_server), strict=True):
        assert remote == local
