"""Servers with an operator token."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.serving import RunningServer

# Non-ASCII letters, and characters that cookies and addresses must quote.
TOKEN = 'ključ é; "a=b", 100% & + word/?'


@pytest.fixture(scope="package")
def open_server(tmp_path_factory):
    """A server on all interfaces, with a generated token and an allowed host name."""
    data_dir = tmp_path_factory.mktemp("open")
    allowed = '["hall.example"]'
    with RunningServer(
        data_dir, "--no-demo", "--host", "0.0.0.0", HURRAH_ALLOWED_HOSTS=allowed
    ) as running:
        token = parse_qs(urlsplit(running.greeting.rsplit(" ", 1)[1]).query)["token"]
        running.token = token[0]
        yield running


@pytest.fixture(scope="package")
def token_server(tmp_path_factory):
    """A server on the loopback address, with `TOKEN`, an allowed host name and a log."""
    directory = tmp_path_factory.mktemp("token")
    with (
        (directory / "log").open("w") as errors,
        RunningServer(
            directory / "data",
            "--no-demo",
            stderr=errors,
            HURRAH_OPERATOR_TOKEN=TOKEN,
            HURRAH_ALLOWED_HOSTS='["hurrah.example"]',
        ) as running,
    ):
        running.log = directory / "log"
        yield running
