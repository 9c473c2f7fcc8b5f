"""Archives that are damaged, hostile or newer: one sentence, and nothing is believed or left."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest

from server.spec.run_spec import SpecError
from server.store.migrations import VERSION as DATABASE_VERSION
from server.transfer.archive_format import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    ArchiveError,
    MissingTextError,
)
from server.transfer.archive_reader import Archive
from server.transfer.staging import StagingLimits, stage
from tests.serving import PAGES
from tests.transfer.conftest import import_file, parts
from tests.transfer.forgery import (
    array_edited,
    edited,
    forge,
    line_edited,
    manifest_of,
    meta_edited,
    npz,
    packed,
)

pytestmark = pytest.mark.process

LIMITS = StagingLimits(10**9, 10**7, 10**9)


def refusal(file, directory, limits=LIMITS):
    """Check that an archive is refused with one sentence, and return it."""
    directory.mkdir(exist_ok=True)
    with pytest.raises((ArchiveError, SpecError)) as refused:
        stage(Archive(io.BytesIO(file), limits.archive_bytes), directory, [], None, limits)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def one(contents, folder, which=0):
    """Return the name of a file of a folder."""
    return sorted(name for name in contents if name.startswith(f"{folder}/"))[which]


# -- files that are no archives -------------------------------------------------------------------


def ordinary_zip(kind=zipfile.ZIP_STORED, names=("manifest.json",)):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name in names:
            archive.writestr(name, b"{}" * 50_000)
    return file.getvalue()


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"PK",
        b"PK\3\4" + bytes(100),
        b"PK\5\6" + bytes(18),
        PAGES.encode(),
        npz({"a": np.zeros(3)}, {}),
        ordinary_zip(),
        ordinary_zip(zipfile.ZIP_DEFLATED),
        ordinary_zip(names=("../../etc/passwd",)),
        packed(b"[]", {}),
        packed(b'{"format": "other"}', {}),
        packed(b"[" * 100_000, {}),
        packed(b" " * (MAX_MANIFEST_BYTES + 1), {}),
    ],
    ids=range(13),
)
def test_a_file_that_is_not_an_exported_run_is_refused(file, tmp_path):
    said = refusal(file, tmp_path)
    assert said in {"The file is not an exported run.", f"The file's {MANIFEST} is not valid JSON."}


def test_a_newer_format_is_refused_by_its_name_whatever_else_it_contains(exported, tmp_path):
    for file in (
        packed({"format": "hurrah-run", "version": 2, "shape": "unknown"}, {"x": b"y"}),
        packed({"format": "hurrah-run", "version": 1, "database": DATABASE_VERSION + 1}, {}),
        forge(exported.file, {}, version=2),
    ):
        assert refusal(file, tmp_path) == (
            "The file was exported by a newer version of Hurrah: import it with that version."
        )


# -- the zip file ---------------------------------------------------------------------------------


def test_a_file_that_was_cut_off_or_continued_is_refused(exported, tmp_path):
    whole = exported.file
    for file in (whole[:-1], whole[: len(whole) // 2], whole[:70], whole + b"\0", b"\0" + whole):
        refusal(file, tmp_path)


def test_every_changed_byte_is_found(exported, tmp_path):
    """In the parts and between them: the checksums cover the parts, the layout all else."""
    whole = exported.file
    random = np.random.default_rng(0)
    for at in random.integers(0, len(whole), 150).tolist():
        changed = bytearray(whole)
        changed[at] ^= 1 << int(random.integers(8))
        with pytest.raises(ArchiveError):
            Archive(io.BytesIO(bytes(changed)), 10**9).verify()


def test_compressed_encrypted_linked_and_overlapping_parts_are_refused(exported, tmp_path):
    contents = parts(exported.file)
    repacked = {}
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as archive:
            archive.writestr(MANIFEST, json.dumps(manifest_of(exported.file)))
            for name, content in contents.items():
                archive.writestr(name, content)
        repacked[kind] = file.getvalue()
        refusal(repacked[kind], tmp_path)
    whole, start = exported.file, exported.file.rindex(b"PK\1\2")
    for offset, value in (
        (8, 1),  # encrypted
        (10, 8),  # compressed
        (38, 0o120777 << 16),  # a symbolic link
        (42, 0),  # the place of another part
        (58, 63),  # the same in 64 bits
    ):
        changed = bytearray(whole)
        struct.pack_into("<I" if offset > 20 else "<H", changed, start + offset, value)
        assert "packed again" in refusal(bytes(changed), tmp_path)


def test_a_bomb_takes_no_memory(exported, tmp_path):
    """What a part declares must be in the file: nothing unpacks to more than its own size."""
    manifest = manifest_of(exported.file)
    huge = {"bytes": 2**49, "sha256": "0" * 64}
    for which, member in enumerate(manifest["members"]):
        members = manifest["members"].copy()
        members[which] = member | huge
        bomb = packed(manifest | {"members": members}, parts(exported.file))
        assert "the size that it names" in refusal(bomb, tmp_path)
    over = refusal(exported.file, tmp_path, StagingLimits(1_000, 10**7, 10**9))
    assert over == (
        f"The file has {len(exported.file):,} bytes; the limit is 1,000 (HURRAH_MAX_IMPORT_BYTES)."
    )


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x",
        "/etc/passwd",
        "checkpoints/../../x.npz",
        "C:\\x.npz",
        "snapshots/00.npz",
        "snapshots/1.npz\0.txt",
        "models/x.npz",
        "held/" + "0" * 24 + ".npz",
        "checkpoints/ABCDEFABCDEF.npz",
        "",
    ],
)
def test_only_the_names_of_parts_are_accepted(exported, tmp_path, name):
    assert "packed again" in refusal(forge(exported.file, {name: b"x"}), tmp_path)


def test_parts_are_there_once_and_none_is_missing(exported, tmp_path):
    manifest = manifest_of(exported.file)
    twice = manifest["members"] + manifest["members"][-1:]
    file = packed(manifest | {"members": twice}, parts(exported.file))
    assert "two parts have the same name" in refusal(file, tmp_path)
    for name in parts(exported.file):
        if "/" not in name and name != "corpus.txt":
            assert f"{name} is missing" in refusal(forge(exported.file, {name: None}), tmp_path)


def test_a_million_parts_are_refused_before_they_are_read(exported, tmp_path):
    manifest = manifest_of(exported.file)
    member = {"name": "x", "bytes": 0, "sha256": "0" * 64}
    many = packed(manifest | {"members": [member] * 1_000_000}, {})
    assert refusal(many, tmp_path) == "The file is not an exported run."
    some = packed(manifest | {"members": [member] * 11_000}, {})
    assert "members" in refusal(some, tmp_path)


def test_a_wrong_checksum_is_found_before_anything_is_unpacked(exported, tmp_path):
    manifest = manifest_of(exported.file)
    for member in manifest["members"]:
        wrong = [
            each | {"sha256": "0" * 64} if each == member else each for each in manifest["members"]
        ]
        file = packed(manifest | {"members": wrong}, parts(exported.file))
        assert f"{member['name']} does not have its checksum" in refusal(file, tmp_path)
        assert list(tmp_path.iterdir()) == []


# -- the contents ---------------------------------------------------------------------------------

NAN, INFINITE = np.array([np.nan]), np.array([np.inf])


def losses(change):
    def changed(contents):
        found = np.frombuffer(contents["losses.f64"]).copy()
        return {"losses.f64": change(found).tobytes()}

    return changed


def document(name, **fields):
    return lambda contents: {name: edited(contents[name], **fields)}


OWN_LOSSES = {"file": "mine.csv", "rows": 1, "fingerprint": "0" * 16, "remarks": []}


def line(name, which=0, **fields):
    return lambda contents: {name: line_edited(contents[name], which, **fields)}


def spec(**fields):
    def changed(contents):
        found = json.loads(contents["run.json"])
        return {"run.json": json.dumps(found | {"spec": found["spec"] | fields}).encode()}

    return changed


def text(old, new, name="run.json"):
    def changed(contents):
        assert old in contents[name]
        return {name: contents[name].replace(old, new, 1)}

    return changed


def checkpoint(change, which=0):
    def changed(contents):
        name = one(contents, "checkpoints", which)
        return {name: change(contents[name])}

    return changed


def newest(change):
    """Change the newest checkpoint, and its size in its row."""

    def changed(contents):
        rows = contents["checkpoints.jsonl"].splitlines()
        name = f"checkpoints/{json.loads(rows[-1])['id']}.npz"
        content = change(contents[name])
        row = line_edited(contents["checkpoints.jsonl"], -1, bytes=len(content))
        return {name: content, "checkpoints.jsonl": row}

    return changed


def trainer(**fields):
    return newest(lambda content: meta_edited(content, lambda meta: meta["trainer"].update(fields)))


def unflushed(**fields):
    return newest(
        lambda content: meta_edited(content, lambda meta: meta["unflushed"].update(fields))
    )


def array(name, change):
    return newest(lambda content: array_edited(content, name, change))


def added_array(name, added):
    def add(content):
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            arrays = {key: loaded[key] for key in loaded.files}
        meta = json.loads(str(arrays.pop("meta")))
        return npz(arrays | {name: added}, meta)

    return newest(add)


def snapshot(change):
    def changed(contents):
        name = one(contents, "snapshots", -1)
        return {name: change(contents[name])}

    return changed


def renamed_snapshot(contents):
    name = one(contents, "snapshots")
    return {name: None, "snapshots/77.npz": contents[name]}


def renamed_model(contents):
    name = one(contents, "models")
    return {name: None, f"models/{'0' * 24}.npz": contents[name]}


WRONG = {
    # The run.
    "NaN updates": text(b'"update":530', b'"update":NaN'),
    "negative updates": document("run.json", update=-1),
    "fewer updates": document("run.json", update=3),
    "a fraction of an update": document("run.json", update=530.5),
    "an infinite loss": text(b'"epoch":', b'"loss":1e999,"epoch":'),
    "an unknown field": document("run.json", surprise=1),
    "an unknown state": document("run.json", state="flying"),
    "a path as an id": document("run.json", id="../../../x"),
    "a position beyond the text": document("run.json", position=10**9),
    "a best model of the future": document("run.json", best={"update": 531, "smooth_loss": 1}),
    "another number of parameters": document("run.json", parameters=3),
    "other epochs": document("run.json", updates_per_epoch=3),
    "a name that reverses the text": spec(name=None),
    "an error that reverses the text": document("run.json", error="\u202ereversed"),
    "a path as an origin": document(
        "run.json", forked_from={"run": "../x", "checkpoint": "0" * 12, "update": 1}
    ),
    "a time that is none": document("run.json", created_at="yesterday"),
    "a huge network": spec(hidden_size=10**9),
    "another cell": spec(cell="lstm"),
    "another size": spec(hidden_size=13),
    "no JSON": lambda contents: {"run.json": b"{"},
    "no UTF-8": lambda contents: {"run.json": b'"\xff"'},
    "a long document": lambda contents: {"run.json": b" " * 2_000_000},
    "deep JSON": lambda contents: {"run.json": b"[" * 500_000},
    # The losses.
    "a loss that is not a number": losses(lambda found: np.concatenate([found[:-1], NAN])),
    "an infinite loss in the history": losses(lambda found: np.concatenate([found[:-1], INFINITE])),
    "one loss less": losses(lambda found: found[:-1]),
    "one loss more": losses(lambda found: np.append(found, 1.0)),
    "losses of another run": losses(lambda found: found + 1.0),
    "half a loss": lambda contents: {"losses.f64": contents["losses.f64"] + b"1234"},
    "a metric of another length": lambda contents: {"metrics/gradient_norm.f64": bytes(80)},
    "half a value of a metric": lambda contents: {"metrics/gradient_norm.f64": bytes(81)},
    "a metric with a path as its name": lambda contents: {"metrics/../x.f64": bytes(128)},
    # The rows.
    "a sample of the future": line("samples.jsonl", -1, update=531),
    "samples in disorder": line("samples.jsonl", 0, update=100),
    "a sample with a negative update": line("samples.jsonl", 0, update=-1),
    "an endless sample": line("samples.jsonl", 0, text="a" * 20_001),
    "a word outside of its text": line("samples.jsonl", 0, invented_words=[[0, 10**9]]),
    "a line without end": lambda contents: {"samples.jsonl": contents["samples.jsonl"] + b"{}"},
    "a long line": lambda contents: {"samples.jsonl": b" " * 5_000_000 + b"\n"},
    "an unknown milestone": line("milestones.jsonl", 0, kind="party"),
    "a milestone with a negative update": line("milestones.jsonl", 0, update=-5),
    "a milestone with control characters": line("milestones.jsonl", 0, text="a\x1b[2Jb"),
    "a passage with a path as its model": lambda contents: {
        "passages.jsonl": contents["passages.jsonl"].replace(b'"model":"', b'"model":"../')
    },
    "two equal passages": lambda contents: {"passages.jsonl": contents["passages.jsonl"] * 2},
    "no passages": lambda contents: {"passages.jsonl": b""},
    "times in disorder": lambda contents: {"training_time.jsonl": b"[3, 1.0]\n[2, 2.0]\n"},
    "times of another form": lambda contents: {"training_time.jsonl": b'["x", 1.0]\n'},
    "remarks of another form": lambda contents: {"report_remarks.jsonl": b'{"author": 1}\n'},
    "remarks twice": lambda contents: {
        "report_remarks.jsonl": contents["report_remarks.jsonl"] * 2
    },
    "losses of the user without their file": document("run.json", own_losses=OWN_LOSSES),
    "losses of the user that the run does not have": lambda contents: {"own_losses.f64": bytes(24)},
    "losses of the user that are not losses": lambda contents: {
        **document("run.json", own_losses=OWN_LOSSES)(contents),
        "own_losses.f64": bytes(24),
    },
    "other losses of the user": lambda contents: {
        **document("run.json", own_losses=OWN_LOSSES)(contents),
        "own_losses.f64": np.array([1.0, 2.0, 3.0]).tobytes(),
    },
    "too few losses of the user": lambda contents: {
        **document("run.json", own_losses=OWN_LOSSES)(contents),
        "own_losses.f64": b"",
    },
    "given weights with control characters": document(
        "run.json", given_weights={"file": "a\x1b[2J.npz", "remarks": []}
    ),
    # The text.
    "another text": lambda contents: {"corpus.txt": contents["corpus.txt"][:-1]},
    "a text of another encoding": lambda contents: {"corpus.txt": b"\xff" * 500},
    "other sizes of the text": document("corpus.json", distinct=3),
    "a text without SHA-256": document("corpus.json", sha256="x"),
    # The checkpoints.
    "a checkpoint without a file": line("checkpoints.jsonl", 0, id="0" * 12),
    "a checkpoint of another size": line("checkpoints.jsonl", 0, bytes=3),
    "a checkpoint of another update": line("checkpoints.jsonl", -1, update=3),
    "a checkpoint that is no file of arrays": newest(lambda content: content[:-30]),
    "a checkpoint with an unknown array": newest(
        lambda content: npz({"x": np.zeros(3)}, {"kind": "checkpoint"})
    ),
    "a checkpoint of another text": newest(
        lambda content: meta_edited(content, lambda meta: meta.update(vocabulary="abc"))
    ),
    "a checkpoint with other updates": trainer(updates=529),
    "a checkpoint with negative updates": trainer(updates=-1),
    "a checkpoint with an unknown field": trainer(x=1),
    "a checkpoint with another loss": trainer(loss=1.0),
    "a checkpoint with another K": trainer(vocabulary_size=3),
    "parameters of another shape": array("parameters.W", lambda W: W[:-1]),
    "parameters of another type": array("parameters.W", lambda W: W.astype(np.float64)),
    "parameters that are not numbers": array("parameters.W", lambda W: W * np.nan),
    "a state that is infinite": array("state.h", lambda h: h + np.inf),
    "a gap before a checkpoint": unflushed(first=900, last=899),
    "metrics in a checkpoint that are too many": added_array("unflushed.metrics.x", np.ones(99)),
    "metrics in a checkpoint that are no numbers": added_array(
        "unflushed.metrics.x", np.ones(0, "i")
    ),
    "metrics in a checkpoint without a name": added_array("unflushed.metrics./", np.ones(0)),
    "samples in a checkpoint that are none": unflushed(samples=[{"update": "x"}]),
    "notices in a checkpoint that are none": unflushed(notices=3),
    "negative seconds": unflushed(seconds=-1.0),
    # The models.
    "a snapshot of another update": renamed_snapshot,
    "a model under another name": renamed_model,
    "a snapshot that is a checkpoint": lambda contents: {
        one(contents, "snapshots"): contents[one(contents, "checkpoints")]
    },
    "a snapshot of another network": snapshot(
        lambda content: array_edited(content, "parameters.W", lambda W: W[:3, :3])
    ),
    "a snapshot of another text": snapshot(
        lambda content: meta_edited(content, lambda meta: meta.update(vocabulary="abc"))
    ),
    "a snapshot that is not finite": snapshot(
        lambda content: array_edited(content, "parameters.W", lambda W: W * np.nan)
    ),
}


@pytest.fixture(scope="module")
def contents(exported):
    return parts(exported.file)


@pytest.mark.parametrize("what", WRONG)
def test_wrong_contents_are_refused(exported, contents, tmp_path, what):
    refusal(forge(exported.file, WRONG[what](contents)), tmp_path)


def test_the_forger_changes_only_what_it_should(exported, tmp_path):
    """Otherwise the archives above might be refused for another reason."""
    archive = Archive(io.BytesIO(forge(exported.file, {})), 10**9)
    assert stage(archive, tmp_path, [], None, LIMITS).run.id == exported.run["id"]


def test_a_checkpoint_of_another_run_of_the_same_kind_is_refused(origin, exported, tmp_path):
    spec = exported.run["spec"] | {"seed": 5, "name": "Another", "paused": True}
    other = origin.create(**spec)
    origin.post(other, "step", {"updates": 530})
    made = origin.post(other, "checkpoints")
    answer = origin.client.get(f"/api/runs/{other['id']}/checkpoints/{made['id']}/file")
    origin.client.delete(f"/api/runs/{other['id']}")
    said = refusal(
        forge(exported.file, newest(lambda _: answer.content)(parts(exported.file))), tmp_path
    )
    assert said == (
        "The file's checkpoint of update 530 does not belong to this run: its loss is not that of"
        " the run."
    )


def test_a_network_that_is_too_large_for_the_server_is_refused(exported, tmp_path):
    assert "makes a network" in refusal(exported.file, tmp_path, StagingLimits(10**9, 10**7, 1_000))
    assert "HURRAH_MAX_UPLOAD_BYTES" in refusal(
        exported.file, tmp_path, StagingLimits(10**9, 1_000, 10**9)
    )


def test_a_missing_text_is_named(exported, tmp_path):
    with pytest.raises(MissingTextError, match=r"SHA-256 of its UTF-8: [0-9a-f]{64}"):
        stage(Archive(io.BytesIO(exported.without_text), 10**9), tmp_path, [], None, LIMITS)


# -- over the wire --------------------------------------------------------------------------------


def test_a_refused_import_changes_nothing(target, exported, contents):
    runs = target.client.get("/api/runs").json()
    corpora = target.client.get("/api/corpora").json()
    for file, said in (
        (b"", "The file is not an exported run."),
        (exported.file[:-100], "The file is damaged, or was packed again by another program"),
        (
            forge(exported.file, WRONG["a checkpoint with another loss"](contents)),
            "does not belong",
        ),
    ):
        assert said in target.problem(import_file(target, file), 422)["detail"]
    spec_error = target.problem(
        import_file(target, forge(exported.file, spec(hidden_size=2_000)(contents))), 422
    )
    assert spec_error["detail"]
    answer = target.client.post("/api/runs/import", files=[("file", b"x"), ("file", b"x")])
    assert "must be one file, not 2" in target.problem(answer, 422)["detail"]
    answer = target.client.post("/api/runs/import", files={"other": b"x"})
    assert target.problem(answer, 422)["errors"][0]["field"] == "file"
    answer = target.client.post("/api/runs/import", json={})
    assert "multipart/form-data" in target.problem(answer, 415)["detail"]
    assert target.client.get("/api/runs").json() == runs
    assert target.client.get("/api/corpora").json() == corpora
    assert list((target.data_dir / "imports").iterdir()) == []
