"""The list of machines, without a cluster."""

SMALL = {"hidden_size": 10, "sample_length": 20, "max_updates": None, "pace": 1}


def test_the_server_is_a_machine_with_the_runs_that_train_there(server):
    def machine():
        (only,) = server.client.get("/api/machines").json()
        return only

    slots = machine()["slots"]
    assert slots >= 2
    assert machine() == {
        "name": "server",
        "address": "127.0.0.1",
        "slots": slots,
        "used": 0,
        "state": "ready",
        "runs": [],
    }
    first, second = server.create(**SMALL), server.create(**SMALL)
    assert (machine()["used"], machine()["runs"]) == (2, [first["id"], second["id"]])
    server.post(first, "pause")
    assert (machine()["used"], machine()["runs"]) == (1, [second["id"]])
