"""The connection to the scheduler of a Dask cluster: all that this server needs of Dask."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from server.cluster.node.task import Assignment, train
from server.spec.schemas import MachineState

if TYPE_CHECKING:
    # The extra `cluster`; it is imported only if there is a cluster.
    from distributed import Client

__all__ = ["ClusterSettings", "DaskWorker", "Scheduler", "SchedulerLostError", "is_installed"]

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How the cluster is reached, and this server from it.

    Attributes
    ----------
    scheduler : str
        Address of the scheduler.
    url : str
        Address of this server, ``ws://`` or ``wss://``.
    ca, certificate, key : pathlib.Path or None
        Files for TLS.
    """

    scheduler: str
    url: str
    ca: Path | None
    certificate: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class DaskWorker:
    """A machine of the cluster, as the scheduler knows it.

    Attributes
    ----------
    name, address, state
        As in `server.spec.schemas.Machine`.
    slots : int
        Its threads.
    """

    name: str
    address: str
    slots: int
    state: MachineState


class SchedulerLostError(Exception):
    """The connection to the scheduler was lost, and with it the news of a task."""


def is_installed() -> bool:
    """Whether Dask is installed."""
    return importlib.util.find_spec("distributed") is not None


class Scheduler:
    """A scheduler, which may not be reachable.

    Parameters
    ----------
    settings : ClusterSettings
        Where it is.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._client: Client | None = None

    async def read(self) -> tuple[str, dict[str, DaskWorker]]:
        """Return the identity of the scheduler, and its workers by their addresses.

        Raises
        ------
        OSError, TimeoutError
            It cannot be reached.
        """
        if self._client is None:
            self._client = await self._connect()
        scheduler = self._client.scheduler
        if scheduler is None:
            raise OSError("the connection is closed")
        async with asyncio.timeout(TIMEOUT_S):
            found = await scheduler.identity(n_workers=-1)
        workers = {
            address: DaskWorker(
                name=str(each["name"]),
                address=address,
                slots=each["nthreads"],
                state="ready" if each["status"] == "running" else "paused",
            )
            for address, each in found["workers"].items()
        }
        return f"{found['id']} {found['started']}", workers

    async def _connect(self) -> Client:
        from distributed import Client  # noqa: PLC0415 - only with a cluster
        from distributed.security import Security  # noqa: PLC0415

        settings, security = self._settings, None
        if settings.scheduler.startswith("tls:"):
            security = Security(
                tls_ca_file=_text(settings.ca),
                tls_client_cert=_text(settings.certificate),
                tls_client_key=_text(settings.key),
                require_encryption=True,
            )
        client: Client = await Client(
            settings.scheduler,
            asynchronous=True,
            security=security,
            timeout=TIMEOUT_S,
            set_as_default=False,
        )
        return client

    async def train(self, assignment: Assignment, key: str, address: str) -> None:
        """Run the task `train` on the worker at an address, and wait for its end.

        Raises
        ------
        SchedulerLostError
            The connection to the scheduler was lost meanwhile; the task may run on.
        Exception
            The task has failed.
        """
        if self._client is None:
            raise OSError("the scheduler cannot be reached")
        from distributed.client import FutureCancelledError  # noqa: PLC0415 - only with a cluster

        future = self._client.submit(
            train,
            assignment,
            key=key,
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        try:
            await future
        except FutureCancelledError as error:
            raise SchedulerLostError from error
        finally:
            future.release()

    async def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(timeout_s):
                    await client.close(timeout_s)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
