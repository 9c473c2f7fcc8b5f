"""Requests generated from the OpenAPI description, valid and invalid."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.hostile.conftest import faultless
from tests.serving import LIMIT_S, PAGES

# Limits on the cost of a random request: each run needs a worker, a million updates a second.
LIMITS = {"MAX_RUNS": "2", "MAX_CORPORA": "3", "MAX_NETWORK_BYTES": "2000000"}
MAX_UPDATES = 30
MAX_UNITS = 10
PACE = 50
EXAMPLES = 2
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server with low limits and a trained run, whose log must be free of errors."""
    directory = tmp_path_factory.mktemp("described")
    limits = {f"HURRAH_{name}": value for name, value in LIMITS.items()}
    with faultless(directory, **limits) as running:
        corpus = running.upload(PAGES)["id"]
        run = running.create(corpus=corpus, hidden_size=5, sample_length=10, max_updates=50)
        running.until_ended(run)
        running.client.patch(f"/api/runs/{run['id']}", json={"max_updates": 10**9, "pace": PACE})
        checkpoint = running.post(run, "checkpoints")["id"]
        running.names = {"run_id": run["id"], "corpus_id": corpus, "checkpoint_id": checkpoint}
        yield running
        assert running.run(run)["id"] == run["id"], "the server still answers"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_described_request_causes_a_server_error(small, mode):
    # It takes seconds to import, in every process of the tests.
    import schemathesis  # noqa: PLC0415

    schemathesis.checks.load_all_checks()
    checks = schemathesis.checks.CHECKS.get_by_names(CHECKS)
    mode = schemathesis.GenerationMode(mode)
    schema = schemathesis.openapi.from_url(f"{small.url}/openapi.json", wait_for_schema=LIMIT_S)
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        # Any string is a valid id in a path, so only queries and bodies can be invalid. Hypothesis
        # would search in vain for a long time.
        if mode.is_positive or [*operation.query, *operation.body]:
            check_operation(small, operation, mode, checks)


def check_operation(server, operation, mode, checks):
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
    def check(case):
        parameters = dict(case.path_parameters or {})
        if case.method != "DELETE":
            # Existing resources exercise more code than unknown ids.
            known = {name: value for name, value in server.names.items() if name in parameters}
            case.path_parameters = parameters | known
        limit_cost(case)
        case.call_and_validate(checks=checks, timeout=LIMIT_S)

    check()


def limit_cost(case):
    """Reduce values that would take minutes."""
    body = case.body
    if case.operation.path == "/api/course/mistakes" and (body is None or isinstance(body, dict)):
        # By default it trains for many seconds.
        case.body = body = {"updates": MAX_UPDATES} | (body or {})
    if not isinstance(body, dict):
        return
    # By default a run trains as fast as it can.
    if case.operation.path == "/api/runs":
        case.body = body = {"pace": PACE} | body
    elif isinstance(body.get("spec"), dict):
        case.body = body = body | {"spec": {"pace": PACE} | body["spec"]}
    for name, most in (("updates", MAX_UPDATES), ("hidden_size", MAX_UNITS)):
        if isinstance(body.get(name), int) and body[name] > most:
            case.body = body = body | {name: most}
