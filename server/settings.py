"""The server's settings and limits. Names of quantities end with their units."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["RENAMED", "SHIPPED_CORPORA", "Settings", "refuse_renamed"]

log = logging.getLogger(__name__)

DEFAULT_PORT = 8_000
SHIPPED_CORPORA = Path(__file__).parent.parent / "data" / "corpora"


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
    command line too. The descriptions are those of the table in README.md.
    """

    model_config = SettingsConfigDict(env_prefix="HURRAH_", extra="ignore", allow_inf_nan=False)

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. On any but a loopback address, changes need the"
        " operator token.",
    )
    port: int = Field(DEFAULT_PORT, ge=0, le=65_535, description="TCP port; 0 chooses a free one.")
    data_dir: Path = Field(Path("data"), description="Directory of runs and uploaded texts.")
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
    max_training_runs: int = Field(
        default_factory=lambda: max(2, (os.cpu_count() or 1) - 1),
        ge=1,
        description="Runs that train at the same time. Further runs are queued.",
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

    @field_validator("data_dir")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        try:
            return value.expanduser()
        except RuntimeError as error:
            raise ValueError("names a home directory that is not known") from error

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """Accept names separated by commas, or a JSON list of them."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError as error:
                raise ValueError("must be names separated by commas, or a JSON list") from error
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
