"""The manifest and the icons with which a browser installs the page as a web app."""

import struct
from urllib.parse import urljoin

import pytest

from server.settings import Settings
from server.web.app import create_app
from tests.web.http.test_root_path import PREFIX, app_of, get_all

PNG = b"\x89PNG\r\n\x1a\n"


def size_of(png):
    """Return the width and the height of a PNG image, and whether it is opaque."""
    assert png.startswith(PNG)
    width, height, _, colour_type = struct.unpack_from(">IIBB", png, 16)
    return width, height, colour_type == 2


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_the_manifest_names_icons_of_their_sizes_and_stays_under_the_prefix(tmp_path, prefix):
    app = app_of(tmp_path) if prefix else create_app(Settings(data_dir=tmp_path))
    page, answer = get_all(app, [f"{prefix}/wall", f"{prefix}/manifest.webmanifest"])
    assert f'<link rel="manifest" href="{prefix}/manifest.webmanifest"' in page.text
    assert answer.headers["content-type"] == "application/manifest+json"
    assert "manifest-src 'self'" in page.headers["content-security-policy"]
    manifest = answer.json()
    assert manifest["display"] == "standalone"
    start, scope = (urljoin(str(answer.url), manifest[each]) for each in ("start_url", "scope"))
    assert start == scope == f"http://localhost{prefix}/"
    assert get_all(app, [manifest["start_url"]])[0].status_code == 200

    icons = get_all(app, [icon["src"] for icon in manifest["icons"]])
    for icon, file in zip(manifest["icons"], icons, strict=True):
        assert icon["src"].startswith(f"{prefix}/static/")
        assert file.headers["content-type"] == icon["type"] == "image/png"
        assert "content-encoding" not in file.headers
        width, height, opaque = size_of(file.content)
        assert f"{width}x{height}" == icon["sizes"]
        # The system cuts its own shape out of a maskable one.
        assert opaque is (icon["purpose"] == "maskable")
    purposes = [(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]]
    assert purposes == [("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")]

    (touch,) = get_all(app, [f"{prefix}/apple-touch-icon.png"])
    assert size_of(touch.content) == (180, 180, True)
