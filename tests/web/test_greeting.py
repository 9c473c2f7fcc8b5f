"""The lines that the server prints once it listens."""

import pytest

from server.settings import Settings
from server.web import greeting as module
from server.web.greeting import greeting

TOKEN = "sesame"


def lines(*, terminal=False, tls=False, **settings):
    given = Settings(operator_token=TOKEN, **settings)
    return greeting(given, 8_000, tls=tls, terminal=terminal).split("\n")


@pytest.fixture(autouse=True)
def own_address(monkeypatch):
    """The address of this machine, which a test may change."""
    found = {"address": "192.0.2.5"}
    monkeypatch.setattr(module, "own_address", lambda: found["address"])
    return found


def test_on_a_loopback_address_there_is_one_line():
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost")):
        first = f"Hurrah is listening on http://{shown}:8000/?token={TOKEN}"
        assert lines(host=host, terminal=True) == [first]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_first_address_can_be_opened_and_the_second_is_for_others(host):
    assert lines(host=host, root_path="/lab/net", tls=True) == [
        f"Hurrah is listening on https://localhost:8000/lab/net/?token={TOKEN}",
        "Other devices can watch at https://192.0.2.5:8000/lab/net/",
    ]


def test_a_container_says_how_to_name_the_address_of_its_host(own_address):
    own_address["address"] = None
    # On a phone, a QR code of localhost would open the phone.
    first, second = lines(host="0.0.0.0", terminal=True)
    assert first == f"Hurrah is listening on http://localhost:8000/?token={TOKEN}"
    assert "set HURRAH_PUBLIC_URL" in second
    assert second.endswith("such as http://ADDRESS:8000.")
    for local in ("https://localhost", "http://127.0.0.1:8000", "http://[::1]:8000"):
        assert lines(host="0.0.0.0", terminal=True, public_url=local) == [first, second]
    public = lines(host="0.0.0.0", public_url="http://teacher.local:8000/")
    assert public == [first, "Other devices can watch at http://teacher.local:8000/"]


def test_the_qr_code_has_the_address_without_the_token(monkeypatch):
    coded = []
    monkeypatch.setattr(module, "_qr_code", lambda address: coded.append(address) or "CODE")
    assert lines(host="0.0.0.0", terminal=True)[-1] == "CODE"
    assert coded == ["http://192.0.2.5:8000/"]
    assert "CODE" not in lines(host="0.0.0.0", terminal=False)
    assert "CODE" not in lines(host="0.0.0.0", terminal=True, qr_code=False)


def test_the_qr_code_is_made_of_characters():
    code = lines(host="0.0.0.0", terminal=True)[2:]
    assert len(code) >= 15
    assert set("".join(code)) <= set(" █▀▄")
    assert len({len(line) for line in code}) == 1


@pytest.mark.parametrize("url", ["hurrah.example.org", "ftp://a.example", "http://a b", "http://"])
def test_a_public_address_is_an_address(url):
    with pytest.raises(ValueError, match="must be an address such as"):
        Settings(public_url=url)
