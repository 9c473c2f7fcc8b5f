"""The wheel gives a command that works outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv

import pytest

from server import __version__
from tests.serving import ROOT, RunningServer

# To build and to install it takes several seconds, and much longer on a busy machine.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def hurrah(tmp_path_factory):
    """Return the command, installed from a wheel in an environment of its own."""
    directory = tmp_path_factory.mktemp("package")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", directory]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    assert wheel.name == f"hurrah-{__version__}-py3-none-any.whl"
    environment = directory / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    # The dependencies are those of the tests.
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "--no-input", "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--no-compile", wheel],
        check=True,
        env=clean_environment(),
    )
    return environment / "bin" / "hurrah"


@pytest.fixture
def elsewhere(tmp_path):
    """Return a directory with a package that has the same name as the server's."""
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise ImportError('the wrong package')\n")
    return tmp_path


def clean_environment(**variables):
    left_out = ("HURRAH_", "PIP_", "PYTHON")
    own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return own | variables


def said(command, *arguments, cwd, **variables):
    done = subprocess.run(
        [command, *arguments],
        cwd=cwd,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_serves_and_trains_from_any_directory(hurrah, elsewhere):
    home = elsewhere / "home"
    home.mkdir()
    home_variables = {"HOME": str(home), "XDG_DATA_HOME": str(home / "share")}
    with RunningServer(
        None,
        command=[hurrah, "serve", "--port", "0", "--no-demo"],
        cwd=elsewhere,
        **home_variables,
    ) as server:
        assert server.client.get("/healthz").json()["version"] == __version__
        page = server.client.get("/").text
        assert "make sweep-install" not in page
        (script,) = re.findall(r'<script type="module" src="(/static/[^"]+)"', page)
        assert "bundles" in script
        assert server.client.get(script).status_code == 200
        assert server.client.get("/course/method").text.startswith("# ")
        run = server.create(max_updates=30, hidden_size=10, sample_every=30, sample_length=20)
        assert server.until_ended(run)["state"] == "finished"
        page = server.client.get(f"/api/runs/{run['id']}/standalone")
        assert page.status_code == 200
    # Nothing is written in the working directory.
    assert {path.name for path in elsewhere.iterdir()} == {"home", "server"}
    (database,) = home.rglob("hurrah.db")
    assert database.parent.name == "hurrah"

    # The shell completes the command's arguments, among them the ids of runs.
    words = {"_TYPER_COMPLETE_ARGS": f"hurrah export {run['id'][:3]}", **home_variables}
    for shell in ("zsh", "fish"):
        completed = said(
            hurrah,
            cwd=elsewhere,
            _HURRAH_COMPLETE=f"complete_{shell}",
            _TYPER_COMPLETE_FISH_ACTION="get-args",
            **words,
        )
        assert run["id"] in completed
        assert run["name"] in completed


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_its_commands(hurrah, elsewhere):
    script = """
        eval "$(_HURRAH_COMPLETE=source_bash hurrah)"
        COMP_WORDS=(hurrah ser) COMP_CWORD=1
        $(complete -p hurrah | sed 's/.*-F \\([^ ]*\\) .*/\\1/') hurrah
        echo "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(hurrah.parent), os.environ["PATH"]])
    assert said("bash", "-c", script, cwd=elsewhere, PATH=path) == "serve\n"
