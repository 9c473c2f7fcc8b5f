"""Static files: style sheets, JavaScript modules and images, served from memory.

A lecture hall opens the page all at once, and a page has some hundred modules. Each file is
therefore read, hashed and compressed once. A path that contains the version can be cached for ever.
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

__all__ = ["PREFIX", "StaticFiles"]

PREFIX = "/static"
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

_VERSION = re.compile(r"([0-9a-f]{12})/(.+)")
_IMPORT = re.compile(r'^(?:import|export)\b[^"\';]*?["\'](\.{1,2}/[^"\']+)["\'];', re.MULTILINE)
# Some systems map .js to another type, which browsers do not accept for a module.
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED_TYPES = {"font/woff2"}


@dataclass(frozen=True)
class _File:
    """A file and its headers."""

    body: bytes
    media_type: str
    etag: str

    @cached_property
    def compressed(self) -> bytes:
        """The compressed body, computed at the first request."""
        return gzip.compress(self.body, 9, mtime=0)


class StaticFiles:
    """ASGI application that serves the files in a directory; mounted at `PREFIX`.

    Parameters
    ----------
    directory : pathlib.Path
        The directory; its files are read once, now.

    Attributes
    ----------
    base_path : str
        The path under which pages refer to the files. It changes when any of the files does.
    """

    def __init__(self, directory: Path) -> None:
        paths = sorted(path for path in directory.rglob("*") if path.is_file())
        self._files = {path.relative_to(directory).as_posix(): _read(path) for path in paths}
        etags = "".join(f"{name} {file.etag}\n" for name, file in self._files.items())
        self._version = hashlib.sha256(etags.encode()).hexdigest()[:12]
        self.base_path = f"{PREFIX}/{self._version}"

    @cache  # noqa: B019 - there is one instance, for as long as the server runs
    def module_paths(self, entry: str) -> tuple[str, ...]:
        """Return the paths of a JavaScript module and of all modules that it imports.

        The page preloads them, so that the browser does not discover them one import at a time.

        Parameters
        ----------
        entry : str
            The module's path in the directory.
        """
        paths = [entry]
        for name in paths:
            text = self._files[name].body.decode()
            for specifier in _IMPORT.findall(text):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(name), specifier))
                if path not in paths:
                    paths.append(path)
        return tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with a file, or 404."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        path, cache_control = scope["path"].removeprefix(f"{PREFIX}/"), REVALIDATE
        if (versioned := _VERSION.fullmatch(path)) is not None:
            path = versioned[2]
            # A page that was opened before an upgrade gets the current files, but may not cache
            # them under the old version.
            cache_control = IMMUTABLE if versioned[1] == self._version else REVALIDATE
        file = self._files.get(path)
        if file is None:
            raise HTTPException(404)
        await _respond(file, Headers(scope=scope), cache_control)(scope, receive, send)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return _File(body, media_type or "text/plain", etag)


def _respond(file: _File, request_headers: Headers, cache_control: str) -> Response:
    headers = {"Cache-Control": cache_control, "ETag": file.etag, "Vary": "Accept-Encoding"}
    known = request_headers.get("if-none-match", "").split(",")
    if file.etag in [etag.strip().removeprefix("W/") for etag in known]:
        return Response(status_code=304, headers=headers)
    compresses = file.media_type not in _COMPRESSED_TYPES
    if compresses and "gzip" in request_headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.compressed, media_type=file.media_type, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)
