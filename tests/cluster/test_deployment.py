"""The image, the compose file and the file for Kubernetes fit the project."""

import re

import yaml

from server.settings import Settings
from tests.serving import ROOT

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = list(
    yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8"))
)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SETTINGS = {f"HURRAH_{name.upper()}" for name in Settings.model_fields}


def test_the_image_has_the_locked_extra_only_if_asked():
    assert "ARG REQUIREMENTS=run.txt\n" in DOCKERFILE
    context = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in ("run.txt", "cluster.txt"):
        assert f"!requirements/{name}" in context

    def locked(name):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))

    more = {package for package, _ in locked("cluster.txt") - locked("run.txt")}
    # The image is built from this file alone.
    assert locked("run.txt") < locked("cluster.txt")
    assert "distributed" in more
    assert "distributed" not in {package for package, _ in locked("run.txt")}


def test_the_services_of_the_compose_file_know_each_other():
    services = COMPOSE["services"]
    server, scheduler, machine = (services[name] for name in ("server", "scheduler", "machine"))
    assert (ROOT / "deploy" / server["build"]["context"] / "Dockerfile").is_file()
    for name in server["build"]["args"]:
        assert f"ARG {name}" in DOCKERFILE
    assert server["environment"].keys() <= SETTINGS
    assert server["environment"]["HURRAH_CLUSTER"] == "tcp://scheduler:8786"
    assert server["environment"]["HURRAH_CLUSTER_URL"] == "http://server:8000"
    assert "tcp://scheduler:8786" in machine["command"]
    assert len({service["image"] for service in services.values()}) == 1
    # Nothing but the server can be reached from outside.
    assert COMPOSE["networks"]["cluster"]["internal"]
    for service in (scheduler, machine):
        assert service["networks"] == ["cluster"]
        assert "ports" not in service


def test_programs_and_directories_are_those_of_the_image():
    texts = [(ROOT / "deploy" / name).read_text() for name in ("compose.yaml", "kubernetes.yaml")]
    for text in texts:
        assert set(re.findall(r"/opt/\S+/python", text)) == {"/opt/hurrah/bin/python"}
        assert "/data" in text
    assert 'ENTRYPOINT ["/opt/hurrah/bin/python"' in DOCKERFILE
    assert "VOLUME /data" in DOCKERFILE


def test_the_parts_in_kubernetes_know_each_other():
    cluster, server, service = KUBERNETES
    (container,) = server["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment.keys() <= SETTINGS
    # The operator names the service of the scheduler after the cluster.
    assert environment["HURRAH_CLUSTER"] == f"tcp://{cluster['metadata']['name']}-scheduler:8786"
    assert environment["HURRAH_CLUSTER_URL"] == f"http://{service['metadata']['name']}:8000"
    assert service["spec"]["selector"] == server["spec"]["template"]["metadata"]["labels"]
