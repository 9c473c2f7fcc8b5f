"""A cluster with TLS, with the certificates that the commands of docs/cluster.md make."""

import json
import re
import ssl
import subprocess

import httpx
import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server.cluster.frames import encode_frame
from tests.cluster import keep_assignments
from tests.cluster.conftest import SPEC, Cluster, machines
from tests.serving import PAGES, ROOT, RunningServer, until

DOCUMENT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
OPERATOR = {"Authorization": "Bearer operator"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Run the commands for certificates; return their directory."""
    directory = tmp_path_factory.mktemp("certificates")
    section = DOCUMENT.partition("## TLS")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    commands = [block for block in blocks if "openssl" in block]
    assert len(commands) == 2
    command = ["sh", "-euc", "".join(commands)]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    # Other users of the machine must not read a key.
    assert (directory / "server-key.pem").stat().st_mode & 0o077 == 0
    # Signed by another authority.
    stranger = trustme.CA().issue_cert("localhost", "127.0.0.1")
    stranger.cert_chain_pems[0].write_to_path(str(directory / "stranger.pem"))
    stranger.private_key_pem.write_to_path(str(directory / "stranger-key.pem"))
    return directory


def tls_options(directory, name):
    return (
        *("--tls-ca-file", str(directory / "ca.pem")),
        *("--tls-cert", str(directory / f"{name}.pem")),
        *("--tls-key", str(directory / f"{name}-key.pem")),
    )


@pytest.fixture(scope="module")
def tls_cluster(certificates, tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), tls_options(certificates, "server"))
    preload = ("--preload", keep_assignments.__name__)
    cluster.add("certified", tls=(*tls_options(certificates, "lab-01"), *preload))
    cluster.add("stranger", tls=tls_options(certificates, "stranger"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def tls_server(tls_cluster, certificates, tmp_path_factory):
    def file(name):
        return str(certificates / f"{name}.pem")

    settings = {
        "HURRAH_CLUSTER": tls_cluster.address,
        "HURRAH_CLUSTER_CA": file("ca"),
        "HURRAH_CLUSTER_CERT": file("server"),
        "HURRAH_CLUSTER_KEY": file("server-key"),
        "HURRAH_TLS_CERT": file("server"),
        "HURRAH_TLS_KEY": file("server-key"),
        "HURRAH_OPERATOR_TOKEN": "operator",
    }
    trusting = ssl.create_default_context(cafile=file("ca"))
    directory = tmp_path_factory.mktemp("server")
    with (
        (directory / "log").open("w") as log,
        RunningServer(
            directory / "data", "--no-demo", verify=trusting, stderr=log, **settings
        ) as server,
    ):
        server.log = directory / "log"
        server.client.headers.update(OPERATOR)
        yield server


@pytest.fixture(scope="module")
def run(tls_server):
    """A run that trains in the cluster."""
    corpus = tls_server.upload(PAGES)["id"]
    run = tls_server.create(corpus=corpus, max_updates=None, **SPEC)
    tls_server.until(run, lambda now: now["update"] > 20)
    return run


@pytest.fixture(scope="module")
def token(run, tls_cluster):
    """The token of its placement."""
    path = tls_cluster.directory / keep_assignments.FILE
    return json.loads(path.read_text().splitlines()[-1])["token"]


@pytest.fixture
def context(certificates):
    """The TLS settings of a machine, but for its certificate."""
    return ssl.create_default_context(cafile=certificates / "ca.pem")


def certify(context, certificates):
    context.load_cert_chain(certificates / "lab-01.pem", certificates / "lab-01-key.pem")


def refusal(server, run, context, token="", query="", **headers):
    """Return why a WebSocket is refused before it is accepted."""
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    address = f"{server.ws_url}/ws/workers/{run['id']}{query}"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, ssl=context, additional_headers=headers)
    assert refused.value.response.status_code == 403
    return refused.value.response.body.decode()


def test_a_run_trains_over_tls_and_machines_of_another_authority_are_refused(
    tls_cluster, tls_server, run
):
    assert tls_server.run(run)["machine"] == "certified"
    log = tls_cluster.directory / "log"
    refused = r"UNKNOWN_CA|unknown ca|CERTIFICATE_VERIFY_FAILED|certificate verify failed"
    until(lambda: re.search(refused, log.read_text(encoding="utf-8")))
    (only,) = machines(tls_server).values()
    assert (only["name"], only["address"][:6]) == ("certified", "tls://")
    with pytest.raises(httpx.TransportError):
        httpx.get(tls_server.url.replace("https", "http"))


def test_a_worker_needs_a_certificate_and_the_token_of_its_placement(
    tls_server, run, token, context, certificates
):
    assert "no certificate of the cluster" in refusal(tls_server, run, context, token)
    certify(context, certificates)
    other = {"id": "0" * 12}
    for asked, given, query in [
        (run, "", ""),
        (run, "wrong", ""),
        (run, "operator", ""),
        (run, "", f"?token={token}"),
        (other, token, ""),
    ]:
        assert "no placement with this token" in refusal(tls_server, asked, context, given, query)
    # A page of another site could not read the token, and is refused even with it.
    assert "other sites" in refusal(tls_server, run, context, token, Origin="https://evil.example")
    # The token is valid; but the placement has an agent already.
    headers = {"Authorization": f"Bearer {token}"}
    address = f"{tls_server.ws_url}/ws/workers/{run['id']}"
    with connect(address, ssl=context, additional_headers=headers) as socket:
        hello = {"type": "hello", "agent": "another", "session": None, "received": 0}
        for message in encode_frame(hello):
            socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
    assert closed.value.rcvd.code == 4409


def test_nothing_else_can_be_done_with_the_token_of_a_placement(tls_server, run, token):
    headers = {"Authorization": f"Bearer {token}"}
    for method, path in [
        ("POST", "/api/runs"),
        ("POST", f"/api/runs/{run['id']}/pause"),
        ("DELETE", f"/api/runs/{run['id']}"),
    ]:
        answer = tls_server.client.request(method, path, json={}, headers=headers)
        assert answer.status_code in {401, 403}
    assert "set-cookie" not in tls_server.client.get(f"/?token={token}").headers


def test_a_token_ends_with_its_placement_and_is_in_no_log(
    tls_cluster, tls_server, run, token, context, certificates
):
    certify(context, certificates)
    tls_server.post(run, "stop")
    until(lambda: tls_server.run(run)["machine"] is None)
    assert "no placement with this token" in refusal(tls_server, run, context, token)
    for log in (tls_server.log, tls_cluster.directory / "log"):
        assert token not in log.read_text(encoding="utf-8")
    database = b"".join(path.read_bytes() for path in tls_server.data_dir.glob("hurrah.db*"))
    assert token.encode() not in database
