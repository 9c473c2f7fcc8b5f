"""Forwarded headers count only if a known proxy sends them."""

import asyncio

import httpx
import pytest
from pydantic import ValidationError

from server.settings import Settings
from server.web.app import create_app

TOKEN = "sesame"
PUBLIC = "hurrah.example.org"
PROXIES = "172.16.0.0/12, 2001:db8::7"


def request(path, peer, method="GET", settings=None, **options):
    """Send a request from an address, and return the answer."""
    given = {"host": "0.0.0.0", "operator_token": TOKEN, "allowed_hosts": [PUBLIC]}
    app = create_app(Settings(data_dir=path, **given | (settings or {})))

    async def send():
        transport = httpx.ASGITransport(app, client=(peer, 40_000), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, **{"url": "/", **options})

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("trusted", "peer", "is_believed"),
    [
        (None, "127.0.0.1", True),
        (None, "::1", True),
        (None, "::ffff:127.0.0.1", True),
        (None, "172.17.0.2", False),
        (PROXIES, "172.17.0.2", True),
        (PROXIES, "::ffff:172.17.0.2", True),
        (PROXIES, "2001:db8::7", True),
        (PROXIES, "2001:db8::8", False),
        (PROXIES, "127.0.0.1", False),
        ("0.0.0.0/0", "192.0.2.1", True),
    ],
)
def test_only_known_proxies_say_that_the_browser_uses_tls(tmp_path, trusted, peer, is_believed):
    settings = {} if trusted is None else {"trusted_proxies": trusted}
    answer = request(
        tmp_path,
        peer,
        settings=settings,
        params={"token": TOKEN},
        headers={"X-Forwarded-Proto": "https"},
    )
    assert ("; Secure" in answer.headers["set-cookie"]) == is_believed


@pytest.mark.parametrize(
    ("peer", "forwarded", "is_let_in"),
    [
        ("127.0.0.1", PUBLIC, True),
        ("192.0.2.1", PUBLIC, False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", None, False),
    ],
)
def test_a_known_proxy_may_replace_the_host(tmp_path, peer, forwarded, is_let_in):
    """The Origin is then compared with X-Forwarded-Host, which must be an accepted name."""
    headers = {"Origin": f"https://{forwarded or PUBLIC}", "Authorization": f"Bearer {TOKEN}"}
    if forwarded is not None:
        headers["X-Forwarded-Host"] = forwarded
    answer = request(
        tmp_path, peer, method="POST", url="/api/gradient-check", headers=headers, json={}
    )
    # The services of the application are not started here, so a request that is let in fails.
    assert (answer.status_code != 403) == is_let_in


def test_a_forwarded_host_does_not_excuse_an_unknown_one(tmp_path):
    """A page that rebinds its name to this machine can send any header to itself."""
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    assert request(tmp_path, "127.0.0.1", headers=headers).status_code == 403


@pytest.mark.parametrize("text", ["*", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "[1]"])
def test_proxies_are_named_by_address(text):
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(trusted_proxies=text)
