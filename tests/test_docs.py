"""The documentation agrees with the settings, limits, tests and files."""

import copy
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from server.__main__ import app
from server.analysis import gradient_check
from server.corpora.toy_texts import ToyText
from server.inspection import probe
from server.passages import request
from server.rnn.architecture import MAX_LAYERS
from server.settings import Settings
from server.spec import run_spec
from server.web.routes import checkpoints, milestones, runs

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# Not pages of the documentation: they describe files from elsewhere.
PAGES = [page for page in PAGES if "theme" not in page.parts]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SETTINGS = {f"HURRAH_{name.upper()}" for name in Settings.model_fields}
# Read only by the tests.
OTHERS = {"HURRAH_BROWSER"}
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TABLE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
# Settings that limit and promise nothing.
PLAIN = {"HURRAH_PORT", "HURRAH_DEMO"}


def without_code(text):
    """Return a page without its blocks of code."""
    return re.sub(r"^(```|~~~).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """Return the anchors of a page's titles, as code hosts and the site make them."""
    titles = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "") for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in plain}


def codes(text):
    """Return the commands on a page: each line of a block, and each piece of code in a sentence."""
    blocks = re.findall(r"^```.*?$(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    blocks += re.findall(r"^    .*$", without_code(text), re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    return [*lines, *re.findall(r"`([^`\s][^`\n]*)`", without_code(text))]


def server_commands(text):
    """Return the arguments of each command of the server on a page."""
    program = re.compile(
        r"(?:^|(?<=[ (]))(?:[\w./-]*python -m server|(?:\./)?(?:\S*/bin/)?hurrah) ((?:--)?[a-z].*)$"
    )
    found = []
    for code in codes(text):
        if match := program.search(code):
            found.append(match[1])
        elif match := re.match(r"make run ARGS=\"(.*)\"$", code):
            found.append(f"serve {match[1]}")
    # A usage has optional parts in brackets and choices with bars.
    plain = [re.sub(r"[\[\]]|(?<=\w)\|\w+", "", command) for command in found]
    return [shlex.split(command, comments=True) for command in plain]


def check_value(context, parameter, value):
    """Check one value of a command."""
    try:
        parameter.process_value(context, value)
    except typer.BadParameter as error:
        # Examples name files that do not exist, and choices in capitals.
        if "does not exist" not in error.message and not value.isupper():
            raise


def greatest(model, field, key="maximum"):
    """Return a limit from the model's JSON schema."""
    described = model.model_json_schema()["properties"][field]
    choices = [described, *described.get("anyOf", [])]
    for part in [*choices, *(each["items"] for each in choices if "items" in each)]:
        if key in part:
            return part[key]
    raise LookupError(field)


# As in the installed command `hurrah`, which has completion.
INSTALLED = copy.copy(app)
INSTALLED._add_completion = True
COMMAND_LINE = typer.main.get_command(INSTALLED)
assert isinstance(COMMAND_LINE, TyperGroup)
COMMANDS = COMMAND_LINE.commands
FIXED = {
    "`hidden_size`": greatest(run_spec.RunSpec, "hidden_size"),
    "`layers`": MAX_LAYERS,
    "`sequence_length`": greatest(run_spec.RunSpec, "sequence_length"),
    "`batch_size`": greatest(run_spec.RunSpec, "batch_size"),
    "`sample_length`": greatest(run_spec.RunSpec, "sample_length"),
    "`max_updates`": greatest(run_spec.RunSpec, "max_updates"),
    "`updates` of one step": greatest(runs.StepRequest, "updates"),
    "`name` of a run": greatest(run_spec.RunSpec, "name", "maxLength"),
    "`watch_words`": greatest(run_spec.RunSpec, "watch_words", "maxItems"),
    "a watch word": greatest(run_spec.RunSpec, "watch_words", "maxLength"),
    "`note` of a checkpoint": greatest(checkpoints.CheckpointRequest, "note", "maxLength"),
    "`text` of a note": greatest(milestones.NoteText, "text", "maxLength"),
    "`text` of a probe": greatest(probe.ProbeRequest, "text", "maxLength"),
    "`temperatures`": greatest(request.PassageRequest, "temperatures", "maxItems"),
    "`temperature`": greatest(request.PassageRequest, "temperature"),
    "parameters of a gradient check": gradient_check.MAX_PARAMETERS,
    "`characters` of a toy text": greatest(ToyText, "characters"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_in_it_exists(page):
    named = set(re.findall(r"HURRAH_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
    assert named <= SETTINGS | OTHERS


def test_every_setting_is_described_for_operators():
    promised = set(re.findall(r"HURRAH_[A-Z_]*[A-Z]", OPERATIONS + SECURITY))
    assert promised >= SETTINGS - PLAIN


def test_every_limit_has_its_response():
    _, _, limits = OPERATIONS.partition("## Limits")
    named = set(
        re.findall(r"HURRAH_[A-Z_]*[A-Z]", limits.partition("The other limits are fixed")[0])
    )
    limiting = {name for name in SETTINGS if re.search(r"_MAX_|_PER_MINUTE$|_TIMEOUT_S$", name)}
    assert named == limiting


def test_every_settings_name_ends_in_its_unit_or_in_what_it_counts():
    units = ("_bytes", "_characters", "_per_minute", "_s")
    things = ("_runs", "_corpora", "_requests", "_connections", "_viewers", "_passages", "_models")
    for name, field in Settings.model_fields.items():
        if field.annotation in {int, float} and name != "port":
            assert name.endswith(units + things), name


def test_the_fixed_limits_are_those_of_the_code():
    _, _, table = OPERATIONS.partition("The other limits are fixed")
    rows = re.findall(
        r"^\| (.+?) \| ([\d,]+)[a-z ]* \|$", table.partition("\n## ")[0], re.MULTILINE
    )
    assert {field: int(most.replace(",", "")) for field, most in rows} == FIXED


def test_every_attack_has_a_test_that_exists():
    rows = re.findall(r"^\| (?!against|---)(.+) \|$", SECURITY, re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        shown_by = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2])
        assert shown_by, row
        for path, test in shown_by:
            tests = re.findall(
                r"^(?:async )?def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE
            )
            assert test in tests, f"{path}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_in_it_exists(page):
    named = re.findall(
        r"`((?:server|static|tests|templates|types|benchmarks|scripts|docs)/[\w./-]*\w/?)`",
        page.read_text(encoding="utf-8"),
    )
    # The recipes in CONTRIBUTING.md have capitals for what the reader chooses.
    missing = [name for name in named if not (ROOT / name).exists()]
    assert [name for name in missing if not re.search(r"\bNAME\b|\bFEATURE\b", name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_in_it_leads_to_a_page_and_an_anchor(page):
    text = without_code(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?://|/)([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        path, _, anchor = target.partition("#")
        leads_to = page.parent / path if path else page
        assert leads_to.exists(), target
        if anchor:
            assert anchor in anchors(leads_to), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_it_exists(page):
    named = set()
    for code in codes(page.read_text(encoding="utf-8")):
        named.update(re.findall(r"(?:^|[ (])make ([a-z][a-z-]*)", code))
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_server_command_in_it_is_understood(page):
    for name, *arguments in server_commands(page.read_text(encoding="utf-8")):
        assert name in COMMANDS or name.startswith("--"), name
        command = COMMANDS.get(name, COMMAND_LINE)
        with command.context_class(command, info_name=name) as context:
            if command is COMMAND_LINE:
                command.make_parser(context).parse_args([name])
                continue
            given, rest, order = command.make_parser(context).parse_args(arguments)
            assert rest == []
            for parameter in order:
                # A sentence may name a command without its arguments.
                if not parameter.is_eager and given[parameter.name]:
                    check_value(context, parameter, given[parameter.name])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_in_its_sentences_exists(page):
    for code in codes(page.read_text(encoding="utf-8")):
        name, *words = code.split()
        if name in COMMANDS:
            command = COMMANDS[name]
            names = {
                option for each in command.params for option in each.opts + each.secondary_opts
            }
            named = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert named <= names | {"--help"}, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_benchmark_in_it_exists(page):
    program = (ROOT / "benchmarks" / "__main__.py").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:python -m benchmarks |make bench ARGS=|`ARGS=)([a-z]+)", text)
    assert [name for name in named if f'"{name}"' not in program] == []


def test_the_commands_are_found_that_the_test_above_checks():
    text = (
        "`.venv/bin/python -m server train BOOK.txt --seeds 5`, `hurrah --version` and\n"
        '```sh\nHURRAH_PORT=1 make run ARGS="--port 1"\nmake run ARGS="--port 9"\n```\n'
        "`python -m server report RUN [--format html|md]`"
    )
    assert server_commands(text) == [
        ["serve", "--port", "9"],
        ["train", "BOOK.txt", "--seeds", "5"],
        ["--version"],
        ["report", "RUN", "--format", "html"],
    ]


def test_its_settings_are_the_servers_settings():
    listed = dict(re.findall(r"^\| `HURRAH_([A-Z_]+)` \| (.+?) \|", TABLE, flags=re.MULTILINE))
    assert {name.lower() for name in listed} == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        stated = listed[name.upper()]
        if stated.startswith("`"):
            default = str(field.get_default(call_default_factory=True))
            assert stated.strip("`").lower() == default.lower()


def test_its_descriptions_are_those_of_the_settings():
    rows = re.findall(r"^\| `HURRAH_([A-Z_]+)` \| .+? \| (.+) \|$", TABLE, flags=re.MULTILINE)
    assert {name.lower(): description for name, description in rows} == {
        name: field.description for name, field in Settings.model_fields.items()
    }


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    listed = re.findall(r"(?:: |- )([\w-]+\.md)$", navigation, re.MULTILINE)
    assert sorted(listed) == sorted(pages | {"contributing.md", "changelog.md"})


def test_every_decision_is_in_the_list_of_decisions():
    directory = ROOT / "docs" / "decisions"
    index = (directory / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[[^]]+\]\(([\w-]+\.md)\): ", index, re.MULTILINE)
    assert sorted([*listed, "README.md"]) == sorted(page.name for page in directory.glob("*.md"))


def test_every_picture_is_on_a_page():
    shown = set()
    for page in PAGES:
        shown.update(re.findall(r"screenshots/([\w-]+\.png)", page.read_text(encoding="utf-8")))
    assert shown == {picture.name for picture in (ROOT / "docs" / "screenshots").iterdir()}
