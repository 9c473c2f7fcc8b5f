"""`python -m benchmarks.server.simulated_training DATA_DIR`: a server whose runs seem to train.

The server is the real one. Twice a second each run of the data directory makes some updates, which
are published as a worker's reports are; nothing is computed or stored. So a hundred runs train on
a machine that has processor time for two.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from benchmarks.server.many_runs import fake_sample
from server.settings import Settings
from server.spec.live_messages import Curve, MetricPiece, ProgressMessage, SampleMessage
from server.spec.schemas import Best, Run, RunState
from server.web import app as web_app
from server.web.dependencies import Services
from server.web.lifespan import open_services
from server.web.server import run as serve

INTERVAL_S = 0.5
UPDATES = 200
POINTS = 10
SAMPLE_EVERY_S = 5.0
NO_METRICS = MetricPiece(update=[], count=[], metrics={})


async def _train(services: Services) -> None:
    random = np.random.default_rng(0)
    runs = services.supervisor.runs()
    text = services.corpora.path(runs[0].corpus).read_text(encoding="utf-8") if runs else ""
    for run in runs:
        run.state, run.spec.max_updates = RunState.RUNNING, None
    for tick in range(sys.maxsize):
        start_s = time.monotonic()
        for number, run in enumerate(runs):
            services.broadcaster.publish(run.id, _progress(run, random))
            if (tick + number) % round(SAMPLE_EVERY_S / INTERVAL_S) == 0:
                sample = fake_sample(random, text, run.update)
                services.broadcaster.publish(run.id, SampleMessage(type="sample", sample=sample))
            # Reports arrive one by one.
            await asyncio.sleep(INTERVAL_S / (2 * len(runs)))
        await asyncio.sleep(max(0.0, INTERVAL_S - (time.monotonic() - start_s)))


def _progress(run: Run, random: np.random.Generator) -> ProgressMessage:
    first = run.update
    losses = [float(each) for each in (run.smooth_loss or 60.0) + random.normal(0, 5, 2 * POINTS)]
    smooth = (run.smooth_loss or 60.0) * 0.999 + 0.04
    run.update += UPDATES
    run.loss, run.smooth_loss, run.updates_per_second = losses[-1], smooth, UPDATES / INTERVAL_S
    run.best = Best(update=run.update, smooth_loss=smooth)
    step = UPDATES // POINTS
    curve = Curve(
        update=[first + step * (point + 1) for point in range(POINTS)],
        seconds=[None] * POINTS,
        smooth=[smooth] * POINTS,
        low=[min(losses[2 * point : 2 * point + 2]) for point in range(POINTS)],
        high=[max(losses[2 * point : 2 * point + 2]) for point in range(POINTS)],
    )
    return ProgressMessage(
        type="progress",
        update=run.update,
        epoch=run.epoch,
        position=run.position,
        loss=run.loss,
        smooth_loss=smooth,
        seconds=run.seconds,
        best=run.best,
        updates_per_second=run.updates_per_second,
        curve=curve,
        metrics=NO_METRICS,
        happened_at=time.time(),
    )


@contextlib.asynccontextmanager
async def _open_and_train(settings: Settings) -> AsyncIterator[Services]:
    async with open_services(settings) as services:
        training = asyncio.create_task(_train(services))
        yield services
        training.cancel()


if __name__ == "__main__":
    web_app.open_services = _open_and_train  # type: ignore[attr-defined]
    sys.exit(serve(Settings(data_dir=Path(sys.argv[1]), port=0, demo=False)))
