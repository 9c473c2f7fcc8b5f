"""Problems and answers over HTTP, for viewers too."""

import io

import numpy as np

from server.analysis.course import ProblemRequest
from server.course.problem import ProblemQuery, make_problem
from tests.course.support import npz


def test_a_problem_is_answered_and_bad_answers_are_refused(serve):
    server = serve("--no-demo")
    client, query = server.client, {"cell": "gru", "hidden_size": 6, "seed": 4}
    problem = client.get("/api/course/problem", params=query)
    assert problem.status_code == 200
    assert '"problem.npz"' in problem.headers["Content-Disposition"]
    assert problem.content == client.get("/api/course/problem", params=query).content
    with np.load(io.BytesIO(problem.content), allow_pickle=False) as archive:
        assert archive["U"].shape == (18, 13)

    right = make_problem(ProblemQuery(**query)).gradients

    def send(content, params=query, **changes):
        files = changes or {"file": ("my_gradients.npz", content)}
        return client.post("/api/course/answer", params=params, files=files)

    passed = send(npz({f"d{name}": g for name, g in right.items()}))
    assert passed.status_code == 200
    assert passed.json()["passed"]
    wrong = send(npz({name: -g for name, g in right.items()})).json()
    assert [found["mistakes"] for found in wrong["diagnosis"]] == [["sign_flipped"]]
    (detail,) = wrong["diagnosis"][0]["details"]
    assert detail["lines"] == [
        {"module": "network", "right": "do = p[t] - y[t]", "wrong": "do = y[t] - p[t]"}
    ]

    refused = {
        413: send(bytes(2_100_000)),
        415: send(b"not an archive"),
        422: send(npz({"dU": np.zeros((2, 2))})),
    }
    for status, response in refused.items():
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["detail"].count(". ") <= 1
    as_json = client.post("/api/course/answer", json={})
    assert as_json.status_code == 415
    for bad in ({"hidden_size": 51}, {"cell": "tree"}, {"seed": -1}, {"sequence": 3}):
        assert client.get("/api/course/problem", params=bad).status_code == 422
        assert send(npz(right), params=bad).status_code == 422


def test_the_limit_of_checks_follows_the_work_of_an_answer():
    """An unknown mistake takes 4 s in the largest problem, and 0.3 s in the default one."""
    assert ProblemRequest().checks <= 2
    assert ProblemRequest(sequence_length=50, layers=4).checks >= 10 * ProblemRequest().checks
