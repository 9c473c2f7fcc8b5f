"""Writes what follows from the server's types and data.

These are types/wire.d.ts and the tables of docs/protocol.md and docs/course.md.

`make generate` runs it. tests/scripts/test_generate.py fails if a file is out of date.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from scripts.course_table import mistakes_table
from scripts.protocol_tables import message_table, spec_table
from scripts.typescript import declarations
from server.analysis.course import Answer
from server.analysis.gradient_check import GradientCheckResult
from server.analysis.loss_analysis import ExplainedLoss
from server.analysis.mistakes import TrainingProgress, TrainingResult, TrainingSample
from server.analysis.own_losses import OwnLossesResult
from server.analysis.surprisal import UpdateSurprisal
from server.corpora.library import Corpus
from server.groups.losses import Differences, GroupLoss, GroupMetrics, MemberFigures
from server.groups.service import CreatedMembers
from server.inspection.health import Health, Memory
from server.inspection.intervention import Intervention
from server.inspection.probe import Probe
from server.inspection.probe_history import ProbeHistory
from server.inspection.spans import UnitSpans
from server.inspection.units import UnitHistory, UnitList
from server.inspection.unrolled import UnrolledUpdate
from server.spec.live_messages import Envelope, ServerMessage
from server.spec.report_remarks import ReportRemarks
from server.spec.schemas import FirstBelow, Machine, MetricDescription
from server.sweeps.schemas import Sweep
from server.web.games.messages import GameEnvelope, GameMessage
from server.web.games.routes import GameLinks, PlayerAnswers, RoundAnswer, StartedGame
from server.web.lectures.messages import LectureEnvelope, LectureMessage
from server.web.lectures.routes import LectureLinks, StartedLecture
from server.web.live.wall_messages import WallDetail, WallEnvelope, WallMessage
from server.web.routes.own.parameters import FoundParameters
from server.web.routes.saved_passages import SavedPassageSlice

__all__ = ["generated_files"]

ROOT = Path(__file__).parents[1]
PROTOCOL = ROOT / "docs" / "protocol.md"
COURSE = ROOT / "docs" / "course.md"
WIRE = ROOT / "types" / "wire.d.ts"

# The answers to HTTP requests that the page's scripts name and that no message contains.
ANSWERS = [
    Answer,
    Corpus,
    CreatedMembers,
    Differences,
    ExplainedLoss,
    FirstBelow,
    FoundParameters,
    GameLinks,
    GradientCheckResult,
    GroupLoss,
    GroupMetrics,
    Health,
    Intervention,
    LectureLinks,
    Machine,
    MemberFigures,
    Memory,
    MetricDescription,
    OwnLossesResult,
    PlayerAnswers,
    Probe,
    ProbeHistory,
    ReportRemarks,
    RoundAnswer,
    SavedPassageSlice,
    StartedGame,
    StartedLecture,
    Sweep,
    TrainingProgress,
    TrainingResult,
    TrainingSample,
    UnitHistory,
    UnitList,
    UnitSpans,
    UnrolledUpdate,
    UpdateSurprisal,
    WallDetail,
]
HEAD = """\
// Written by `make generate` from the server's types; docs/protocol.md describes them. Read by the
// TypeScript compiler in `make lint`; nothing of it is served.
"""


def generated_files() -> dict[Path, str]:
    """Return the contents of each generated file as they should be."""
    protocol = PROTOCOL.read_text(encoding="utf-8")
    for name, table in {"spec": spec_table(), "messages": message_table()}.items():
        protocol = _replace_table(protocol, name, table)
    course = _replace_table(COURSE.read_text(encoding="utf-8"), "mistakes", mistakes_table())
    return {PROTOCOL: protocol, COURSE: course, WIRE: _wire_types()}


def _wire_types() -> str:
    messages, wall = get_args(ServerMessage), get_args(WallMessage)
    lecture, game = get_args(LectureMessage), get_args(GameMessage)
    envelopes: dict[type, type] = dict.fromkeys(game, GameEnvelope)
    envelopes |= dict.fromkeys(lecture, LectureEnvelope)
    envelopes |= dict.fromkeys(wall, WallEnvelope)
    envelopes |= dict.fromkeys(messages, Envelope)
    declared = declarations([*messages, *ANSWERS, *wall, *lecture, *game], envelopes)
    unions = "".join(
        f"\ntype {name} ={''.join(f'{chr(10)}  | {each.__name__}' for each in members)};\n"
        for name, members in (
            ("ServerMessage", messages),
            ("WallMessage", wall),
            ("LectureMessage", lecture),
            ("GameMessage", game),
        )
    )
    return f"{HEAD}\n{declared}{unions}"


def _replace_table(page: str, name: str, table: str) -> str:
    """Replace what is between the markers of a table."""
    begin, end = f"<!-- make generate: {name} -->\n", f"\n<!-- end: {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"a page needs the lines {begin.strip()} and {end.strip()}")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def main() -> None:
    """Write the files that are out of date."""
    for path, content in generated_files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            print(f"Wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
