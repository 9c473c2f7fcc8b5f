"""The server's settings and limits. Names of quantities end with their units."""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server.installation import default_data_dir

__all__ = [
    "RENAMED",
    "SECRET_PREFIX",
    "WEBHOOK_SECRET_FILE",
    "Settings",
    "refuse_renamed",
    "secret_key",
]

log = logging.getLogger(__name__)

DEFAULT_PORT = 8_000
WEBHOOK_SECRET_FILE = "webhook-secret"  # noqa: S105 - in the data directory
SECRET_PREFIX = "whsec_"  # noqa: S105 - as Standard Webhooks has it

# Settings that had other names. An old name must not be ignored: it may be a limit.
RENAMED = {
    "HURRAH_VIEWER_PATIENCE_S": "HURRAH_VIEWER_TIMEOUT_S",
    "HURRAH_REQUEST_PATIENCE_S": "HURRAH_REQUEST_TIMEOUT_S",
    "HURRAH_UPLOAD_PATIENCE_S": "HURRAH_UPLOAD_TIMEOUT_S",
    "HURRAH_MAX_KEPT_PASSAGES": "HURRAH_MAX_SAVED_PASSAGES",
    "HURRAH_MAX_KEPT_MODELS": "HURRAH_MAX_SAVED_MODELS",
    "HURRAH_MAX_KEPT_MODELS_BYTES": "HURRAH_MAX_SAVED_MODELS_BYTES",
    "HURRAH_VIEWER_READINGS_PER_MINUTE": "HURRAH_VIEWER_SURPRISALS_PER_MINUTE",
    "HURRAH_TOTAL_READINGS_PER_MINUTE": "HURRAH_TOTAL_SURPRISALS_PER_MINUTE",
    "FORWARDED_ALLOW_IPS": "HURRAH_TRUSTED_PROXIES",
}


def refuse_renamed(environment: Iterable[str]) -> None:
    """Refuse an environment that sets a setting by a name that it no longer has.

    Parameters
    ----------
    environment : iterable of str
        The names of the environment's variables, in any case.

    Raises
    ------
    ValueError
        Some are old names; the message has the new ones.
    """
    old = sorted({name.upper() for name in environment} & RENAMED.keys())
    if old:
        raise ValueError(f"{'; '.join(f'{name} is now {RENAMED[name]}' for name in old)}.")


class Settings(BaseSettings):
    """The settings and limits of the server.

    Each is set by `HURRAH_<NAME>` in the environment; those that `serve` has options for, on the
    command line too. The descriptions are those of the table in docs/settings.md.
    """

    model_config = SettingsConfigDict(env_prefix="HURRAH_", extra="ignore", allow_inf_nan=False)

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. On any but a loopback address, changes need the"
        " operator token.",
    )
    port: int = Field(DEFAULT_PORT, ge=0, le=65_535, description="TCP port; 0 chooses a free one.")
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Directory of runs and uploaded texts. The default of the installed command"
        " `hurrah` is the user's data directory.",
    )
    demo: bool = Field(True, description="Whether to start a demo run if there is no run yet.")
    resume: bool = Field(
        False,
        description="Whether to resume interrupted runs automatically after a server or worker"
        " crash.",
    )
    operator_token: str | None = Field(
        None,
        description="The operator token. If one is needed and none is set, each start creates one.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Host names under which the page may be requested, besides `localhost` and IP"
        " addresses, separated by commas, such as `hurrah.example.org`.",
    )
    root_path: str = Field(
        "",
        description="Prefix of all addresses, such as `/lab/net`, for a reverse proxy that serves"
        " several programs under one host name. The proxy may remove it from requests or not.",
    )
    public_url: str | None = Field(
        None,
        description="Address under which other devices reach the server, such as"
        " `https://hurrah.example.org/lab/net`. It is printed at the start with its QR code, and"
        " its host name is accepted.",
    )
    qr_code: bool = Field(
        True,
        description="Whether to print the QR code of the address for other devices at the start,"
        " on a terminal or in a container.",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["127.0.0.0/8", "::1"],
        description="Addresses and networks of reverse proxies, separated by commas, such as"
        " `192.0.2.7, 172.16.0.0/12`. The `X-Forwarded-For`, `-Proto` and `-Host` headers of all"
        " others are ignored.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="The least important lines of the log: `debug`, `info`, `warning` or `error`.",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="`text` for people, or `json`: one object a line."
    )
    metrics: bool = Field(
        False, description="Whether to serve figures for Prometheus at `/metrics`."
    )
    webhook_url: str | None = Field(
        None,
        description="Address that gets a request when a run ends or fails, or writes a name for the"
        " first time, such as `https://hooks.example.org/hurrah`.",
    )
    webhook_secret: str | None = Field(
        None,
        description="Key with which these requests are signed: base64 after `whsec_`, or any other"
        " text. The default is made at the first start and is in `webhook-secret` in the data"
        " directory.",
    )
    tls_cert: Path | None = Field(
        None,
        description="File with the server's certificate and those that it was signed with, in PEM."
        " With it the server answers HTTPS instead of HTTP.",
    )
    tls_key: Path | None = Field(
        None,
        description="File with the key of this certificate. The default is the certificate's file.",
    )
    max_training_runs: int = Field(
        default_factory=lambda: max(2, (os.cpu_count() or 1) - 1),
        ge=1,
        description="Runs that train at the same time; one with several threads counts as many."
        " Further runs are queued.",
    )
    max_network_bytes: int = Field(
        1_000_000_000, ge=1, description="Maximum memory of one run's network, approximately."
    )
    max_upload_bytes: int = Field(
        20_000_000, ge=1, description="Maximum size of an uploaded text or file of weights."
    )
    max_import_bytes: int = Field(
        2_000_000_000, ge=1, description="Maximum size of the file of an imported run."
    )
    max_request_bytes: int = Field(
        1_000_000,
        ge=1,
        description="Maximum size of the body of any other request of the operator.",
    )
    max_viewer_request_bytes: int = Field(
        131_072, ge=1, description="Maximum size of the body of any other request of a viewer."
    )
    max_stored_bytes: int = Field(
        20_000_000_000, ge=1, description="Maximum size of everything in the data directory."
    )
    max_runs: int = Field(1_000, ge=1, description="Maximum number of runs.")
    max_corpora: int = Field(
        1_000, ge=1, description="Maximum number of texts, including the shipped one."
    )
    max_passage_characters: int = Field(
        20_000, ge=1, le=20_000, description="Maximum length of a passage."
    )
    max_probe_characters: int = Field(
        10_000,
        ge=1,
        le=10_000,
        description="Maximum length of a text that a network reads: to continue it, to probe,"
        " or to check gradients.",
    )
    max_waiting_requests: int = Field(
        400,
        ge=1,
        description="Maximum number of passages in progress or waiting, from all clients"
        " together. Gradient checks, surprisal requests, estimates and downloads have the same"
        " limit each.",
    )
    # A page makes two or three reads at once, and a lecture hall of five hundred zooms in together.
    max_read_requests: int = Field(
        2_000,
        ge=1,
        description="Maximum number of requests that wait to read stored losses, samples,"
        " milestones, checkpoints and saved passages, from all clients together.",
    )
    max_connections: int = Field(
        4_096, ge=1, description="Maximum number of open connections of all kinds."
    )
    max_viewers: int = Field(1_000, ge=1, description="Maximum number of open WebSockets.")
    viewer_passages_per_minute: int = Field(
        600,
        ge=1,
        description="Thousands of characters per minute that viewers at one address may have"
        " written. Those of a large network or vocabulary count several times.",
    )
    total_passages_per_minute: int = Field(
        1_800, ge=1, description="The same for all viewers together."
    )
    viewer_checks_per_minute: int = Field(
        300,
        ge=1,
        description="Gradient checks per minute of viewers at one address. A large one counts as"
        " several.",
    )
    total_checks_per_minute: int = Field(
        600, ge=1, description="The same for all viewers together."
    )
    viewer_downloads_per_minute: int = Field(
        300,
        ge=1,
        description="Downloads of checkpoints and losses per minute of viewers at one address.",
    )
    total_downloads_per_minute: int = Field(
        600, ge=1, description="The same for all viewers together."
    )
    viewer_surprisals_per_minute: int = Field(
        600,
        ge=1,
        description="Requests per minute for the surprisal of the text at an update, and for the"
        " inside of a network, of viewers at one address. Those for a large network count several"
        " times, and cached ones and those in progress not at all.",
    )
    total_surprisals_per_minute: int = Field(
        1_200, ge=1, description="The same for all viewers together."
    )
    max_saved_passages: int = Field(
        1_000, ge=1, description="Maximum number of passages in the gallery."
    )
    max_saved_models: int = Field(
        500,
        ge=0,
        description="Maximum number of models stored so that saved and shared passages can be"
        " written again.",
    )
    max_saved_models_bytes: int = Field(
        200_000_000, ge=0, description="Maximum size of these models together."
    )
    cluster: str | None = Field(
        None,
        description="Address of the scheduler of a Dask cluster on which runs train, such as"
        " `tcp://HOST:8786`. Without it they train on this machine.",
    )
    cluster_url: str | None = Field(
        None,
        description="Address under which the machines of the cluster reach this server, such as"
        " `https://hurrah.example.org`. The default is its own address.",
    )
    cluster_ca: Path | None = Field(
        None,
        description="File with the certificate of the authority that signed those of the cluster,"
        " for an address that begins with `tls://`.",
    )
    cluster_cert: Path | None = Field(
        None, description="File with this server's certificate for the cluster."
    )
    cluster_key: Path | None = Field(None, description="File with the key of this certificate.")
    viewer_timeout_s: float = Field(
        10.0, gt=0, description="How long a viewer may read nothing before it is disconnected."
    )
    request_timeout_s: float = Field(
        30.0,
        gt=0,
        description="How long a request's head, or its body, may take to arrive, and how long a"
        " client may read nothing of a response.",
    )
    upload_timeout_s: float = Field(
        600.0, gt=0, description="How long an uploaded text or run may take to arrive."
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_renamed(cls, values: object) -> object:
        refuse_renamed(os.environ)
        return values

    @model_validator(mode="before")
    @classmethod
    def _ignore_empty(cls, values: object) -> object:
        """Take an empty value as one that is not set, but not an empty token, which is refused."""
        if not isinstance(values, dict):
            return values
        return {
            name: value
            for name, value in values.items()
            if name == "operator_token" or not (isinstance(value, str) and not value.strip())
        }

    @field_validator("port", mode="before")
    @classmethod
    def _ignore_service_link(cls, value: object) -> object:
        # Kubernetes sets it in every pod beside a service with the name "hurrah".
        if isinstance(value, str) and re.match(r"[a-z]+://", value):
            log.warning(
                "HURRAH_PORT is %s, the address of a Kubernetes service, and is ignored: the port"
                " is %s.",
                value,
                DEFAULT_PORT,
            )
            return DEFAULT_PORT
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("cluster")
    @classmethod
    def _check_cluster(cls, value: str | None) -> str | None:
        if value is None or _is_scheduler_address(value):
            return value
        raise ValueError("must be an address such as tcp://HOST:8786 or tls://HOST:8786")

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook_url(cls, value: str | None) -> str | None:
        if value is None or _is_web_address(value):
            return value
        raise ValueError("must be an address such as https://hooks.example.org/hurrah")

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, value: str | None) -> str | None:
        if value is not None:
            secret_key(value)
        return value

    @field_validator("data_dir")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        try:
            return value.expanduser()
        except RuntimeError as error:
            raise ValueError("names a home directory that is not known") from error

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """Accept names or addresses separated by commas, or a JSON list of them."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError as error:
                raise ValueError("must be separated by commas, or a JSON list") from error
        return [name.strip() for name in value.split(",") if name.strip()]

    @field_validator("operator_token")
    @classmethod
    def _not_empty(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # An empty token would let everybody in.
        if not (value := value.strip()):
            raise ValueError("must not be empty")
        if not value.isprintable() or any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("must be printable text")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: list[str]) -> list[str]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
                raise ValueError(f"must be names without scheme or port, not {name!r}")
        return value

    @field_validator("root_path")
    @classmethod
    def _normalise_prefix(cls, value: str) -> str:
        prefix = value.strip("/")
        # What needs no escape in HTML, in a header or in a cookie.
        segment = re.compile(r"(?!\.\.?$)[\w.~@%+-]+", re.ASCII)
        if prefix and not all(map(segment.fullmatch, prefix.split("/"))):
            raise ValueError("must be a path such as /lab/net, without spaces or a query")
        return f"/{prefix}" if prefix else ""

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not re.fullmatch(r"https?://[A-Za-z0-9._\[\]:-]+(/[\w.~@%+/-]*)?", value, re.ASCII):
            raise ValueError("must be an address such as https://hurrah.example.org")
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: list[str]) -> list[str]:
        for address in value:
            try:
                ipaddress.ip_network(address)
            except ValueError as error:
                raise ValueError(
                    f"must be IP addresses or networks such as 172.16.0.0/12, not {address!r}"
                ) from error
        return value

    @property
    def proxy_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """The networks of the proxies whose forwarded headers are believed."""
        return [ipaddress.ip_network(address) for address in self.trusted_proxies]

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def token(self) -> str | None:
        """Return the operator token, created now if none is set; None where none is needed."""
        if self.operator_token is None and not self.on_loopback:
            self.operator_token = secrets.token_urlsafe(24)
        return self.operator_token


def _is_scheduler_address(text: str) -> bool:
    if re.fullmatch(r"(tcp|tls)://[^\s/?#@]+", text) is None:
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False


def _is_web_address(text: str) -> bool:
    """Whether a text is an address with a host, without a user name or a fragment."""
    if re.fullmatch(r"https?://[!-~]+", text) is None or "#" in text:
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def secret_key(secret: str) -> bytes:
    """Return the key that a secret of the webhook stands for.

    Raises
    ------
    ValueError
        What follows `whsec_` is not base64.
    """
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError(f"must be base64 after {SECRET_PREFIX}")
    return key
