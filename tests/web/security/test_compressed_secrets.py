"""No compressed response has a secret in it, whose letters its size would give away (BREACH)."""

from urllib.parse import quote

import pytest


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/inside", "/compare", "/passages", "/gradients", "/course"),
        *("/openapi.json", "/api/runs"),
    ],
)
def test_no_response_contains_the_operator_token(open_server, path):
    token = open_server.token
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    answer = open_server.client.get(path, headers=headers)
    assert answer.status_code == 200
    if path == "/":
        assert 'data-operator="true"' in answer.text
    assert token not in answer.text
    assert quote(token) not in answer.text
