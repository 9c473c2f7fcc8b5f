"""Static files: style sheets, JavaScript modules and images, served from memory.

A lecture hall opens the page all at once. Each file is therefore read, hashed and compressed once,
and a path that contains the version can be cached for ever.

A page has some hundred modules and style sheets. `make generate` joins them in two bundles, which
are served instead as long as no source has changed since.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["BUNDLES", "PREFIX", "SOURCES", "StaticFiles"]

PREFIX = "/static"
BUNDLES = "bundles"
"""The directory of the bundles: that of ``js/watch.js`` is ``bundles/watch.js``."""
SOURCES = f"{BUNDLES}/sources.json"
"""The file with the `StaticFiles.sources_hash` of each bundle's entry."""
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

_VERSION = re.compile(r"([0-9a-f]{12})/(.+)")
_IMPORT = re.compile(r'^(?:import|export)\b[^"\';]*?["\'](\.{1,2}/[^"\']+)["\'];', re.MULTILINE)
_CSS_IMPORT = re.compile(r'^@import url\("([^"]+)"\);', re.MULTILINE)
# Some systems map .js to another type, which browsers do not accept for a module.
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED_TYPES = {"font/woff2", "image/png"}


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
        self._version = self._hash(self._files)[:12]
        self.base_path = f"{PREFIX}/{self._version}"

    def module_paths(self, entry: str) -> tuple[str, ...]:
        """Return the paths of the modules that a page loads, the entry first.

        The page preloads them, so that the browser does not discover them one import at a time.

        Parameters
        ----------
        entry : str
            The path of the page's JavaScript module in the directory.

        Returns
        -------
        tuple of str
            The bundle if it is up to date; otherwise the module and all modules that it imports.
        """
        return self._paths[entry]

    def style_paths(self, entry: str) -> tuple[str, ...]:
        """Return the paths of the style sheets that a page loads, in the order of the cascade.

        Parameters
        ----------
        entry : str
            The path of a style sheet that imports those of the page, and nothing else.

        Returns
        -------
        tuple of str
            The bundle if it is up to date; otherwise the imported style sheets.
        """
        return self._paths[entry]

    def sources_hash(self, entry: str) -> str:
        """Return a hash of an entry and of all that it imports, which a bundle of it records."""
        return self._hash([entry, *self._imported(entry)])

    @cached_property
    def _paths(self) -> dict[str, tuple[str, ...]]:
        """The files to load for each entry: ``js/NAME.js`` or ``css/NAME.css``."""
        sources = self._files.get(SOURCES)
        bundled: dict[str, str] = json.loads(sources.body) if sources is not None else {}
        paths: dict[str, tuple[str, ...]] = {}
        for entry in self._files:
            if posixpath.dirname(entry) not in {"js", "css"}:
                continue
            bundle = f"{BUNDLES}/{posixpath.basename(entry)}"
            if bundle in self._files and bundled.get(entry) == self.sources_hash(entry):
                paths[entry] = (bundle,)
            elif entry.endswith(".js"):
                paths[entry] = (entry, *self._imported(entry))
            else:
                paths[entry] = self._imported(entry)
        return paths

    def _imported(self, entry: str) -> tuple[str, ...]:
        """Return the paths of everything that a module or style sheet imports."""
        pattern = _IMPORT if entry.endswith(".js") else _CSS_IMPORT
        paths = [entry]
        for name in paths:
            for target in pattern.findall(self._files[name].body.decode()):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
                if path not in paths:
                    paths.append(path)
        return tuple(paths[1:])

    def _hash(self, names: Iterable[str]) -> str:
        etags = "".join(f"{name} {self._files[name].etag}\n" for name in names)
        return hashlib.sha256(etags.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with a file, or 404."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        # The mount has added its own path to that of the application.
        path, cache_control = scope["path"].removeprefix(f"{scope['root_path']}/"), REVALIDATE
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
