"""Builds the container image without Docker and tries it: `make test-container`.

It needs root, buildah and, unless BASE_IMAGE names a base image, mmdebstrap. The image's server
runs in a chroot with a read-only root file system, as a user that the image does not know.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORAGE = ROOT / ".cache" / "container"
BASE = "localhost/hurrah-base"
IMAGE = "localhost/hurrah"
MAX_ADDED_BYTES = 180_000_000
MAX_MEMORY_KB = 512 * 1024
MAX_STOP_S = 10.0
UNKNOWN_USER = 12_345
PORT = 18_000
LIMIT_S = 60.0
# A build gets packages as this machine does, through the same proxy.
SHARED_FILES = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
RUN = """
mount --bind "$1" "$2" && mount --options remount,bind,ro "$2" && mount --bind "$3" "$2/data" &&
mount --rbind /dev "$2/dev" && mount --type proc proc "$2/proc" &&
exec chroot --userspec="$4:$4" "$2" /bin/sh -c '
cd /app
if touch /app/written 2>/dev/null; then echo "the root file system is not read-only"; exit 1; fi
exec /opt/hurrah/bin/python -m server serve'
"""


def buildah(*arguments: str | Path) -> str:
    """Run buildah with a storage of its own, and return its output."""
    storage = ("--root", STORAGE / "store", "--runroot", STORAGE / "run")
    command = ["buildah", *storage, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def build_base() -> str:
    """Build a base image from Debian's packages, once, and return its name."""
    if BASE in buildah("images", "--format", "{{.Name}}").split():
        return BASE
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "base.tar"
        settings = Path(directory) / "apt.conf"
        settings.write_text(apt_settings(), encoding="utf-8")
        packages = "--include=python3-venv,ca-certificates"
        options = ("--variant=minbase", packages, f"--aptopt={settings}")
        subprocess.run(["mmdebstrap", *options, "stable", archive], check=True)
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, archive, "/")
        buildah("commit", "--quiet", "--rm", container, BASE)
    return BASE


def apt_settings() -> str:
    """Return this machine's settings of how apt downloads, such as a proxy; the base keeps them."""
    if shutil.which("apt-config") is None:
        return ""
    dump = subprocess.run(["apt-config", "dump"], check=True, stdout=subprocess.PIPE, text=True)
    names = ("http::", "https::", "Retries ", "Check-Valid-Until ")
    chosen = tuple(f"Acquire::{name}" for name in names)
    return "".join(line for line in dump.stdout.splitlines(True) if line.startswith(chosen))


def build(base: str) -> None:
    """Build the image, in Docker's format: that of OCI has no health check."""
    shared = [f"--volume={path}:{path}:ro" for path in SHARED_FILES if Path(path).exists()]
    options = ("--quiet", "--isolation=chroot", "--network=host", "--format=docker")
    buildah("bud", *options, f"--build-arg=BASE_IMAGE={base}", *shared, "--tag", IMAGE, ROOT)


def size_of(image: str) -> int:
    """Return the size of the files in an image, as Docker counts it."""
    container = buildah("from", image)
    try:
        root = buildah("mount", container)
        output = subprocess.check_output(["du", "-s", "--bytes", root], text=True)
        return int(output.split()[0])
    finally:
        buildah("rm", container)


def processes_of(pid: int) -> list[int]:
    """Return a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in processes_of(int(child)))]


def memory_kb(pid: int) -> int:
    """Return the memory of a process and its descendants; what they share counts once."""
    total = 0
    for each in processes_of(pid):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def try_image() -> None:
    """Run the image's server with its demo run, and stop it."""
    container = buildah("from", IMAGE)
    directory = Path(tempfile.mkdtemp())
    data, root = directory / "data", directory / "root"
    data.mkdir()
    root.mkdir()
    # `mkdtemp` made a private directory; the volume is that of the image.
    directory.chmod(0o755)
    data.chmod(0o1777)
    try:
        image = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        assert image["User"] == "10001:10001"
        kind, *health = image["Healthcheck"]["Test"]
        assert kind == "CMD"
        environment = dict(each.split("=", 1) for each in image["Env"])
        environment |= {"HURRAH_PORT": str(PORT), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        mounted = buildah("mount", container)
        arguments = (mounted, str(root), str(data), str(UNKNOWN_USER))
        server = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", RUN, "sh", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        first = server.stdout.readline().strip()
        print(first)
        expected = f"Hurrah is listening on http://localhost:{PORT}/?token="
        assert first.startswith(expected), server.stdout.read()
        deadline = time.monotonic() + LIMIT_S
        while (update := demo_update()) < 100:
            assert time.monotonic() < deadline, "the demo run does not train"
            time.sleep(0.2)
        subprocess.run(["chroot", mounted, *health], env=environment, check=True)
        assert (data / "hurrah.db").exists()
        owners = {path.lstat().st_uid for path in data.rglob("*")}
        assert owners == {UNKNOWN_USER}, f"files in /data belong to {owners}"
        used = memory_kb(server.pid)
        print(f"update {update}, {used / 1024:.0f} MB in {len(processes_of(server.pid))} processes")
        assert used < MAX_MEMORY_KB
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(LIMIT_S) == 0
        print(f"stopped in {time.monotonic() - started:.1f} s")
        assert time.monotonic() - started < MAX_STOP_S
        server.stdout.close()
    finally:
        buildah("rm", container)
        shutil.rmtree(directory)


def demo_update() -> int:
    """Return the number of updates of the demo run."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/runs", timeout=LIMIT_S) as answer:
        runs = json.load(answer)
    return max((run["update"] for run in runs), default=0)


def main() -> None:
    """Build the image, measure it and run it."""
    base = os.environ.get("BASE_IMAGE")
    needed = ["buildah", "unshare", "chroot", *([] if base else ["mmdebstrap"])]
    missing = [program for program in needed if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"This needs root and the programs: {', '.join(missing or needed)}.")
    STORAGE.mkdir(parents=True, exist_ok=True)
    try:
        base = base or build_base()
        build(base)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"The image was not built: {error.cmd[0]} ended with status {error.returncode}; its"
            " messages are above. BASE_IMAGE can name another base image."
        )
    added = size_of(IMAGE) - size_of(base)
    print(f"{added / 1e6:.0f} MB are added to the base")
    assert added < MAX_ADDED_BYTES
    try_image()


if __name__ == "__main__":
    main()
