"""Every setting and limit, each with its unit in its name."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["SHIPPED_CORPORA", "Settings"]

SHIPPED_CORPORA = Path(__file__).parent.parent / "data" / "corpora"


class Settings(BaseSettings):
    """What can be set, by `HURRAH_<NAME>` in the environment or on the command line.

    Attributes
    ----------
    host : str
        Address to listen on. On any but a loopback address, changing things takes the operator's
        token.
    port : int
        TCP port; 0 takes a free one.
    data_dir : pathlib.Path
        Where runs and uploaded texts are kept.
    demo : bool
        Whether a start without any run begins a demonstration.
    resume : bool
        Whether runs that trained when the server, or their worker, ended go on by themselves.
    operator_token : str or None
        What an operator must show where a token is needed; None: made at each start.
    allowed_hosts : list of str
        Host names, besides the loopback ones and addresses, under which the page may be asked for.
    max_training_runs : int
        Runs that train at the same time; others are queued.
    max_network_bytes : int
        Memory that the network of a run may take at most, about.
    max_upload_bytes : int
        Size of an uploaded text at most.
    max_request_bytes, max_viewer_request_bytes : int
        Size of any other request's body at most: the operator's, and those of others.
    max_stored_bytes : int
        Size of all that is in the data directory at most.
    max_runs, max_corpora : int
        Runs, and texts, that are kept at most.
    max_passage_characters : int
        Length of a passage at most.
    max_probe_characters : int
        Length of a text that a network is given to read at most: to go on from, to probe, or to
        check gradients on.
    max_waiting_requests : int
        Passages, and likewise gradient checks, that are under way or waited for at most, by
        whomever.
    max_read_requests : int
        Requests for what is kept (losses, samples, milestones, checkpoints, kept passages) that
        wait for the database at most, by whomever.
    max_connections : int
        Open connections of all kinds at most.
    max_viewers : int
        Open WebSockets at most.
    viewer_passages_per_minute, total_passages_per_minute : int
        Thousands of characters that those who are not operators may have written a minute: from one
        address, and all together.
    viewer_checks_per_minute, total_checks_per_minute : int
        Gradient checks, likewise; a large one counts as several.
    viewer_downloads_per_minute, total_downloads_per_minute : int
        Downloads of checkpoints and losses, likewise.
    viewer_readings_per_minute, total_readings_per_minute : int
        Readings of what was read at an update, likewise; those that somebody has asked for before,
        and what is being read now, are not counted.
    max_saved_passages : int
        Passages in the gallery at most.
    max_saved_models : int
        Models that are kept so that kept and shared passages can be written again.
    max_saved_models_bytes : int
        What these models may take together.
    viewer_timeout_s : float
        How long a viewer may read nothing before it is let go.
    request_timeout_s : float
        How long a request's head may take to come, and its body, and how long the reader of an
        answer may read nothing.
    upload_timeout_s : float
        How long an uploaded text may take to come.
    """

    model_config = SettingsConfigDict(env_prefix="HURRAH_", extra="ignore", allow_inf_nan=False)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    data_dir: Path = Path("data")
    demo: bool = True
    resume: bool = False
    operator_token: str | None = None
    allowed_hosts: list[str] = Field(default_factory=list)
    max_training_runs: int = Field(default_factory=lambda: max(2, (os.cpu_count() or 1) - 1), ge=1)
    max_network_bytes: int = Field(1_000_000_000, ge=1)
    max_upload_bytes: int = Field(20_000_000, ge=1)
    max_request_bytes: int = Field(1_000_000, ge=1)
    max_viewer_request_bytes: int = Field(131_072, ge=1)
    max_stored_bytes: int = Field(20_000_000_000, ge=1)
    max_runs: int = Field(1_000, ge=1)
    max_corpora: int = Field(1_000, ge=1)
    max_passage_characters: int = Field(20_000, ge=1, le=20_000)
    max_probe_characters: int = Field(10_000, ge=1, le=10_000)
    max_waiting_requests: int = Field(400, ge=1)
    # A page asks for two or three things at once, and a hall of five hundred zooms in together.
    max_read_requests: int = Field(2_000, ge=1)
    max_connections: int = Field(4_096, ge=1)
    max_viewers: int = Field(1_000, ge=1)
    viewer_passages_per_minute: int = Field(600, ge=1)
    total_passages_per_minute: int = Field(1_800, ge=1)
    viewer_checks_per_minute: int = Field(300, ge=1)
    total_checks_per_minute: int = Field(600, ge=1)
    viewer_downloads_per_minute: int = Field(300, ge=1)
    total_downloads_per_minute: int = Field(600, ge=1)
    viewer_readings_per_minute: int = Field(600, ge=1)
    total_readings_per_minute: int = Field(1_200, ge=1)
    max_saved_passages: int = Field(1_000, ge=1)
    max_saved_models: int = Field(500, ge=0)
    max_saved_models_bytes: int = Field(200_000_000, ge=0)
    viewer_timeout_s: float = Field(10.0, gt=0)
    request_timeout_s: float = Field(30.0, gt=0)
    upload_timeout_s: float = Field(600.0, gt=0)

    @field_validator("operator_token")
    @classmethod
    def _not_empty(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # Set but empty is a mistake, and would let everybody in.
        if not (value := value.strip()):
            raise ValueError("must not be empty")
        if not value.isprintable() or any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("must be text that can be typed")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
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
        """Return the operator's token, made now if need be; None where none is needed."""
        if self.operator_token is None and not self.on_loopback:
            self.operator_token = secrets.token_urlsafe(24)
        return self.operator_token
