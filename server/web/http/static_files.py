"""What the pages are made of: style sheets, modules and pictures, held in memory.

A lecture hall opens the page at once, and a page is some hundred modules: so each of them is read,
given its tag and compressed once, and not for every laptop anew. An address with the version in it
is good for as long as that version is, and nobody has to ask for it twice.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import posixpath
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["PREFIX", "Statics"]

PREFIX = "/static"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"

_VERSION = re.compile(r"([0-9a-f]{12})/(.+)")
_IMPORT = re.compile(r'^(?:import|export)\b[^"\';]*?["\'](\.{1,2}/[^"\']+)["\'];', re.MULTILINE)
# Some systems' tables know JavaScript by another name, which browsers don't take for a module.
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class _File:
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str

    @cached_property
    def compressed(self) -> bytes:
        """What most are sent; compressed once, when the first asks."""
        return gzip.compress(self.body, 9, mtime=0)


class Statics:
    """The files below a folder, as an ASGI application to be mounted at `PREFIX`.

    Parameters
    ----------
    folder : pathlib.Path
        Where they are; they are read once, now.

    Attributes
    ----------
    address : str
        What the pages put before a file's path: it changes with any of the files.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in paths}
        tags = "".join(f"{name} {file.etag}\n" for name, file in self._files.items())
        self._version = hashlib.sha256(tags.encode()).hexdigest()[:12]
        self.address = f"{PREFIX}/{self._version}"

    @cache  # noqa: B019 - there is one of these, for as long as the server runs
    def modules(self, entry: str) -> tuple[str, ...]:
        """Return the paths of all modules that a module needs, itself among them.

        So that the browser can ask for all at once, and need not read one to learn of the next.

        Parameters
        ----------
        entry : str
            Its path below the folder.
        """
        found = [entry]
        for name in found:
            text = self._files[name].body.decode()
            for address in _IMPORT.findall(text):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(name), address))
                if path not in found:
                    found.append(path)
        return tuple(found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        path, kept = scope["path"].removeprefix(f"{PREFIX}/"), ASK_EACH_TIME
        if (versioned := _VERSION.fullmatch(path)) is not None:
            path = versioned[2]
            # A page that was opened before the server was renewed gets what there is now.
            kept = FOR_EVER if versioned[1] == self._version else ASK_EACH_TIME
        file = self._files.get(path)
        if file is None:
            raise HTTPException(404)
        await _answer(file, Headers(scope=scope), kept)(scope, receive, send)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return _File(body, media_type or "text/plain", etag)


def _answer(file: _File, asked: Headers, kept: str) -> Response:
    headers = {"Cache-Control": kept, "ETag": file.etag, "Vary": "Accept-Encoding"}
    tags = [tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(",")]
    if file.etag in tags:
        return Response(status_code=304, headers=headers)
    if "gzip" in asked.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.compressed, media_type=file.media_type, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)
