"""Events for the webhook: stored with what happened, each once, and a limited number."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from server.files.disk_errors import StorageError
from server.history.run_history import Records
from server.spec.schemas import RunState
from server.store import webhook_events
from server.store.database import Store
from server.store.migrations import VERSION, backup_path, read_version
from tests.store.test_database import sample, some_run
from tests.store.test_migrations import without_later_tables


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hurrah.db"


@pytest.fixture
def store(path):
    opened = Store(path, collect_events=True)
    opened.add_run("a", some_run("a").model_dump_json())
    yield opened
    opened.close()


def set_state(store, state, **fields):
    run = some_run("a", **fields).model_copy(update={"state": state})
    store.save_run("a", run.model_dump_json())


def events(store):
    rows = store.current().execute("SELECT id, body FROM webhook_events ORDER BY number")
    return [(identity, json.loads(body)) for identity, body in rows]


def types(store):
    return [body["type"] for _, body in events(store)]


def with_names(update, *names):
    return sample(update).model_copy(update={"hurrahs": list(names)})


def test_a_run_that_ends_is_an_event_once(store):
    set_state(store, RunState.RUNNING)
    set_state(store, RunState.FINISHED, update=9, smooth_loss=1.5)
    set_state(store, RunState.FINISHED, update=9, smooth_loss=1.5)
    set_state(store, RunState.RUNNING, update=12)
    set_state(store, RunState.FAILED, update=12, error="The worker ended.")
    set_state(store, RunState.INTERRUPTED)
    set_state(store, RunState.STOPPED)
    ended = ["run.finished", "run.failed", "run.interrupted", "run.stopped"]
    assert types(store) == ended
    finished, failed = events(store)[0][1]["data"], events(store)[1][1]["data"]
    assert finished == {
        "run": "a",
        "name": "a run",
        "state": "finished",
        "update": 9,
        "smooth_loss": 1.5,
        "error": None,
    }
    assert (failed["update"], failed["error"]) == (12, "The worker ended.")
    assert len({identity for identity, _ in events(store)}) == 4


def test_a_report_that_names_the_new_state_first_is_an_event(store):
    # The state of a run changes in memory before it is stored, and a report may come in between.
    text = some_run("a", update=2).model_copy(update={"state": RunState.STOPPED}).model_dump_json()
    store.add_report("a", text, Records(1, np.ones(2)), [])
    set_state(store, RunState.STOPPED, update=2)
    assert types(store) == ["run.stopped"]


def test_a_first_name_has_the_same_id_when_the_run_writes_it_again(store):
    store.add_sample("a", sample(1))
    store.add_sample("a", with_names(2, "Orla", "Väinö"))
    store.add_sample("a", with_names(3, "Vane"))
    store.add_sample("a", with_names(2, "Orla", "Väinö"))
    (first, body), (other, _), (again, _) = events(store)
    assert body["type"] == "run.hurrah"
    assert body["data"]["words"] == ["Orla", "Väinö"]
    assert (body["data"]["update"], body["data"]["name"]) == (2, "a run")
    assert first == again != other


def test_without_a_webhook_nothing_is_collected(path):
    store = Store(path)
    store.add_run("a", some_run("a").model_dump_json())
    set_state(store, RunState.FINISHED)
    store.add_sample("a", with_names(2, "Orla"))
    assert events(store) == []
    store.close()


def test_events_wait_in_their_order_and_the_oldest_of_too_many_are_deleted(store, monkeypatch):
    monkeypatch.setattr(webhook_events, "MAX_EVENTS", 3)
    for update in range(1, 6):
        store.add_sample("a", with_names(update, "Orla"))
    for update in (3, 4, 5):
        event = store.oldest_event()
        assert event.id == f"msg_a_{update}"
        assert json.loads(event.body)["data"]["update"] == update
        store.remove_event(event.number)
    assert store.oldest_event() is None


def test_an_event_and_what_happened_are_stored_together_or_not_at_all(path, store):
    set_state(store, RunState.FINISHED)
    with closing(sqlite3.connect(path)) as other:
        both = (
            "SELECT json_extract(run, '$.state'), (SELECT count(*) FROM webhook_events) FROM runs"
        )
        assert other.execute(both).fetchone() == ("paused", 0)
        store.commit()
        assert other.execute(both).fetchone() == ("finished", 1)


def test_a_delivered_event_is_deleted_durably(path, store):
    store.add_sample("a", with_names(1, "Orla"))
    store.commit()
    with closing(sqlite3.connect(path)) as other:
        count = "SELECT count(*) FROM webhook_events"
        assert other.execute(count).fetchone() == (1,)
        store.remove_event(store.oldest_event().number)
        assert other.execute(count).fetchone() == (0,)


def test_a_delivered_event_is_deleted_by_the_next_commit_if_the_disk_is_full(
    path, store, monkeypatch
):
    set_state(store, RunState.FINISHED)
    number = store.oldest_event().number

    def fail():
        raise StorageError("The disk is full.")

    with monkeypatch.context() as full:
        full.setattr(store, "commit", fail)
        store.remove_event(number)
    store.commit()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM webhook_events").fetchone() == (0,)


def test_an_event_on_a_full_disk_is_stored_once_with_the_id_that_it_had(store):
    set_state(store, RunState.RUNNING)
    store.commit()
    store.connection.execute("PRAGMA max_page_count = 1")
    set_state(store, RunState.FAILED, error="x" * 100_000)
    with pytest.raises(StorageError):
        store.commit()
    store.connection.execute("PRAGMA max_page_count = 1000000")
    before = events(store)
    store.commit()
    assert types(store) == ["run.failed"]
    assert events(store) == before


def test_a_database_of_version_10_collects_events(path):
    store = Store(path)
    store.add_run("a", some_run("a").model_dump_json())
    store.close()
    without_later_tables(path, 10)
    store = Store(path, collect_events=True)
    assert read_version(path) == VERSION
    assert read_version(backup_path(path, 10)) == 10
    set_state(store, RunState.STOPPED)
    assert types(store) == ["run.stopped"]
    store.close()
