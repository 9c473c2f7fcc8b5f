"""Fixtures for all tests, and the markers of tests that start processes."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# NumPy reads it when it is imported. The matrices are small, and the cores are busy with other
# tests: with more threads, the tests of the network take three times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tests.serving import RunningServer

SHIPPED = Path(__file__).parents[1] / "data" / "corpora"

# A test is marked `process` if it uses one of these fixtures, or if its module imports one of these
# names.
PROCESS_FIXTURES = {
    "browser",
    "harness",
    "narrow",
    "open_server",
    "serve",
    "server",
    "token_server",
}
# A test is marked `cluster` if it uses one of these: they start a scheduler and Dask workers.
CLUSTER_FIXTURES = {"cluster", "own_cluster", "tls_cluster"}
PROCESS_NAMES = {
    "InferenceClient",
    "RunningServer",
    "WorkerClient",
    "faultless",
    "run_command",
    "subprocess",
}

unmarked_test = None

# How long an example takes depends on the machine's load; pytest-timeout ends tests that hang.
settings.register_profile(
    "hurrah", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", settings.get_profile("hurrah"), max_examples=1_000)
settings.load_profile("hurrah")


def pytest_addoption(parser):
    parser.addoption(
        "--kills",
        type=int,
        default=4,
        help="how often tests/crash/test_random.py kills processes at a random moment",
    )


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Return one more than the number of cores, because tests also wait."""
    return (yield) + 1


def pytest_collection_modifyitems(items):
    slow_modules = set()
    for item in items:
        uses = PROCESS_FIXTURES.intersection(item.fixturenames)
        if uses or PROCESS_NAMES.intersection(vars(item.module)):
            item.add_marker("process")
        if CLUSTER_FIXTURES.intersection(item.fixturenames):
            item.add_marker("cluster")
        if item.get_closest_marker("process"):
            slow_modules.add(item.module)
    # The fast modules are last, so that no pytest process ends with a long module alone.
    items.sort(key=lambda item: item.module not in slow_modules)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    global unmarked_test  # noqa: PLW0603
    unmarked_test = None if item.get_closest_marker("process") else item.nodeid
    result = yield
    unmarked_test = None
    return result


def _refuse_processes(event, _):
    if event == "subprocess.Popen" and unmarked_test is not None:
        raise RuntimeError(f"{unmarked_test} starts a process: mark it with pytest.mark.process")


# Keeps `make check` fast.
sys.addaudithook(_refuse_processes)


@pytest.fixture(scope="session")
def shipped_dir():
    """Return the directory of the shipped texts."""
    return SHIPPED


@pytest.fixture(scope="session")
def saltmere():
    """Return the text of the shipped novel."""
    return (SHIPPED / "the-lamps-of-saltmere.txt").read_bytes().decode("utf-8")


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """Serve an empty data directory for all modules that use `server`."""
    with RunningServer(tmp_path_factory.mktemp("data"), "--no-demo") as running:
        yield running


@pytest.fixture(scope="module")
def server(shared_server):
    """Return a server without runs. Its runs are deleted after the module, its texts stay."""
    yield shared_server
    shared_server.delete_runs()


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts servers; they stop after the test."""
    started = []

    def start(*arguments, data_dir=None, **environment):
        running = RunningServer(data_dir or tmp_path / "data", *arguments, **environment)
        started.append(running)
        return running

    yield start
    for running in started:
        running.__exit__()
