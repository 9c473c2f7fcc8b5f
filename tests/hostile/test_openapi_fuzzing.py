"""Requests generated from the OpenAPI description, valid and invalid."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.hostile.conftest import faultless
from tests.serving import LIMIT_S, PAGES

# Limits on the cost of a random request: each run needs a worker, a million updates a second.
FEW = {"MAX_RUNS": "2", "MAX_CORPORA": "3", "MAX_NETWORK_BYTES": "2000000"}
MOST_UPDATES = 100
MOST_UNITS = 10
EXAMPLES = 2
load_all_checks()
HELD_TO = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    ]
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server with low limits and a trained run, whose log must be free of errors."""
    folder = tmp_path_factory.mktemp("described")
    limits = {f"HURRAH_{name}": value for name, value in FEW.items()}
    with faultless(folder, **limits) as running:
        corpus = running.upload(PAGES)["id"]
        run = running.create(corpus=corpus, hidden_size=5, sample_length=10, max_updates=50)
        running.until_ended(run)
        running.client.patch(f"/api/runs/{run['id']}", json={"max_updates": 10**9})
        checkpoint = running.post(run, "checkpoints")["id"]
        running.names = {"run_id": run["id"], "corpus_id": corpus, "checkpoint_id": checkpoint}
        yield running
        assert running.run(run)["id"] == run["id"], "the server still answers"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_described_request_causes_a_server_error(small, mode):
    schema = schemathesis.openapi.from_url(f"{small.url}/openapi.json", wait_for_schema=LIMIT_S)
    held = 0
    for operation in schema.get_all_operations():
        hold(small, operation.ok(), mode)
        held += 1
    assert held > 30


def hold(server, operation, mode):
    """Check one operation against its description, by reproducible random requests."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def held(case):
        asked = dict(case.path_parameters or {})
        if case.method != "DELETE":
            # Existing resources exercise more code than unknown ids.
            there = {name: value for name, value in server.names.items() if name in asked}
            case.path_parameters = asked | there
        thrifty(case)
        case.call_and_validate(checks=HELD_TO, timeout=LIMIT_S)

    try:
        held()
    except Unsatisfiable:
        # No request of this operation is invalid.
        assert mode is GenerationMode.NEGATIVE


def thrifty(case):
    """Reduce values that would take minutes."""
    body = case.body
    if not isinstance(body, dict):
        return
    for name, most in (("updates", MOST_UPDATES), ("hidden_size", MOST_UNITS)):
        if isinstance(body.get(name), int) and body[name] > most:
            case.body = body = body | {name: most}
