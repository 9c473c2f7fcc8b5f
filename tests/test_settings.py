"""A setting that was renamed is refused under its old name."""

import pytest
from pydantic import ValidationError

from server.settings import RENAMED, Settings, refuse_renamed
from tests.training import run_command


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_stops_the_settings_with_the_new_one(monkeypatch, old, new):
    assert new.removeprefix("HURRAH_").lower() in Settings.model_fields
    assert old.removeprefix("HURRAH_").lower() not in Settings.model_fields
    monkeypatch.setenv(old, "1")
    with pytest.raises(ValidationError, match=f"{old} is now {new}"):
        Settings()


def test_an_old_name_stops_the_server(tmp_path):
    data = tmp_path / "data"
    old_names = {"HURRAH_VIEWER_PATIENCE_S": "5", "HURRAH_MAX_KEPT_MODELS": "3"}
    ended = run_command("serve", "--port", 0, "--data-dir", data, environment=old_names)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "HURRAH_MAX_KEPT_MODELS is now HURRAH_MAX_SAVED_MODELS;"
        " HURRAH_VIEWER_PATIENCE_S is now HURRAH_VIEWER_TIMEOUT_S.\n"
    )
    assert not data.exists()


def test_names_are_recognised_in_any_case():
    with pytest.raises(ValueError, match="HURRAH_MAX_KEPT_MODELS is now"):
        refuse_renamed(["hurrah_max_kept_models"])
    refuse_renamed(["HURRAH_MAX_SAVED_MODELS", "PATH"])


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("name", ["name"]),
        ("a.example, b.example,", ["a.example", "b.example"]),
        ('["a.example", "b.example"]', ["a.example", "b.example"]),
        ("", []),
        ("[]", []),
    ],
)
def test_allowed_hosts_are_names_separated_by_commas_or_a_list(monkeypatch, text, hosts):
    monkeypatch.setenv("HURRAH_ALLOWED_HOSTS", text)
    assert Settings().allowed_hosts == hosts


@pytest.mark.parametrize("text", ["[", '["a", 1]', "https://name", "two words"])
def test_other_allowed_hosts_are_refused_with_a_sentence(monkeypatch, text):
    monkeypatch.setenv("HURRAH_ALLOWED_HOSTS", text)
    with pytest.raises(ValidationError) as error:
        Settings()
    assert {found["loc"][0] for found in error.value.errors()} == {"allowed_hosts"}


def test_the_address_of_a_kubernetes_service_is_no_port(monkeypatch, caplog):
    monkeypatch.setenv("HURRAH_PORT", "tcp://10.96.0.12:8000")
    assert Settings().port == 8_000
    assert "tcp://10.96.0.12:8000" in caplog.text
    assert Settings(port=0).port == 0
    monkeypatch.setenv("HURRAH_PORT", "http")
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("text", ["tcp://10.0.0.1:8786", "tls://node-1:1", "tcp://[::1]:8786"])
def test_the_address_of_a_scheduler_is_accepted(monkeypatch, text):
    monkeypatch.setenv("HURRAH_CLUSTER", text)
    assert Settings().cluster == text


@pytest.mark.parametrize(
    "text",
    [
        "host:8786",
        "http://host:8786",
        "tcp://host",
        "tcp://:8786",
        "tcp://host:0",
        "tcp://host:65536",
        "tcp://host:port",
        "tcp://two words:8786",
        "tcp://[::1:8786",
        "tcp://host:8786/path",
    ],
)
def test_another_address_of_a_scheduler_is_refused(monkeypatch, text):
    monkeypatch.setenv("HURRAH_CLUSTER", text)
    with pytest.raises(ValidationError, match="must be an address such as tcp://HOST:8786"):
        Settings()


def test_an_invalid_address_of_a_scheduler_stops_the_server(tmp_path):
    environment = {"HURRAH_CLUSTER": "tcp://two words:8786"}
    ended = run_command("serve", "--port", 0, "--data-dir", tmp_path, environment=environment)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "must be an address such as tcp://HOST:8786" in ended.stderr


def test_a_tilde_is_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HURRAH_DATA_DIR", "~/x")
    assert Settings().data_dir == tmp_path / "x"


def test_an_empty_value_is_not_set(monkeypatch):
    for name in ("DATA_DIR", "PORT", "HOST", "DEMO", "ALLOWED_HOSTS", "MAX_RUNS"):
        monkeypatch.setenv(f"HURRAH_{name}", "")
    assert Settings() == Settings.model_construct(
        **{
            name: field.get_default(call_default_factory=True)
            for name, field in Settings.model_fields.items()
        }
    )
    monkeypatch.setenv("HURRAH_OPERATOR_TOKEN", "")
    with pytest.raises(ValidationError, match="must not be empty"):
        Settings()
