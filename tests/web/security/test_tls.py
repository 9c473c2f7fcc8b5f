"""HTTPS and secure WebSockets by the server itself."""

import json
import ssl

import httpx
import pytest
import trustme
from websockets.sync.client import connect

from tests.serving import NO_CERTIFICATES, RunningServer
from tests.training import run_command


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """Write the authority's certificate, and the server's, in one file with its key."""
    directory = tmp_path_factory.mktemp("certificates")
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    own.private_key_pem.write_to_path(str(directory / "key.pem"))
    return directory


def test_the_server_answers_only_encrypted_requests_with_its_certificate(files, tmp_path):
    trusting = ssl.create_default_context(cafile=files / "ca.pem")
    settings = {
        "HURRAH_TLS_CERT": str(files / "server.pem"),
        "HURRAH_CLUSTER_CA": str(files / "ca.pem"),
        "HURRAH_OPERATOR_TOKEN": "secret",
    }
    with RunningServer(tmp_path, "--no-demo", verify=trusting, **settings) as server:
        assert server.greeting.startswith("Hurrah is listening on https://127.0.0.1:")
        assert server.client.get("/").status_code == 200, "a browser has no certificate"
        cookie = server.client.get("/?token=secret").headers["set-cookie"]
        assert "Secure" in cookie
        headers = {"Authorization": "Bearer secret"}
        body = {"hidden_size": 5, "paused": True}
        run = server.client.post("/api/runs", json=body, headers=headers).json()
        with connect(f"{server.ws_url}/ws/runs/{run['id']}", ssl=trusting, max_size=None) as socket:
            assert json.loads(socket.recv())["type"] == "snapshot"
        for url, verify in (
            (server.url, NO_CERTIFICATES),  # an authority that the client does not know
            (server.url.replace("https", "http"), trusting),
        ):
            with pytest.raises(httpx.TransportError):
                httpx.get(url, verify=verify)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"HURRAH_TLS_KEY": "key.pem"}, "HURRAH_TLS_KEY is set, but HURRAH_TLS_CERT is not."),
        ({"HURRAH_TLS_CERT": "none.pem"}, "none.pem: No such file or directory."),
        ({"HURRAH_TLS_CERT": "key.pem"}, "Cannot use the certificate"),
    ],
)
def test_certificates_that_cannot_be_used_are_reported(files, tmp_path, settings, sentence):
    paths = {name: str(files / file) for name, file in settings.items()}
    ended = run_command("serve", "--port", 0, "--data-dir", tmp_path, environment=paths)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
