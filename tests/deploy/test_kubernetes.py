"""The manifests, against the schemas of Kubernetes, and against each other."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings
from tests.deploy.files import DEPLOY, foreign_tool, run

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
LABELS = KUSTOMIZATION["labels"][0]["pairs"]
OLDEST, NEWEST = "1.31", "1.34"


def manifest(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", KUSTOMIZATION["resources"])
def test_manifest_fits_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(manifest(name), version, strict=True)


def test_kustomize_renders_what_fits_schema() -> None:
    rendered = run(foreign_tool("kubectl"), "kustomize", FOLDER).stdout

    documents = list(yaml.safe_load_all(rendered))
    assert len(documents) == len(KUSTOMIZATION["resources"])
    for document in documents:
        kubernetes_validate.validate(document, NEWEST, strict=True)
        assert LABELS.items() <= document["metadata"]["labels"].items()
    (deployment,) = (each for each in documents if each["kind"] == "Deployment")
    (image,) = KUSTOMIZATION["images"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{image['name']}:{image['newTag']}"


def test_every_manifest_is_applied() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files


def test_selectors_find_the_pods() -> None:
    deployment = manifest("deployment.yaml")["spec"]
    assert deployment["template"]["metadata"]["labels"] == LABELS
    assert deployment["selector"]["matchLabels"] == LABELS
    assert manifest("service.yaml")["spec"]["selector"] == LABELS
    assert manifest("budget.yaml")["spec"]["selector"]["matchLabels"] == LABELS
    assert manifest("network.yaml")["spec"]["podSelector"]["matchLabels"] == LABELS


def test_autoscaler_scales_the_deployment() -> None:
    target = manifest("autoscaler.yaml")["spec"]["scaleTargetRef"]
    deployment = manifest("deployment.yaml")
    assert (target["kind"], target["name"]) == (deployment["kind"], deployment["metadata"]["name"])
    # It alone says how many there are; so much of a processor is asked for.
    assert "replicas" not in deployment["spec"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == container["resources"]["limits"]["cpu"]


def test_pod_may_do_nothing_but_serve() -> None:
    pod = manifest("deployment.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = manifest("settings.yaml")["data"]
    assert set(data) <= {f"COLORIZE_{name.upper()}" for name in Settings.model_fields}
    for name, value in data.items():
        monkeypatch.setenv(name, value)

    # Bodies wait in /tmp, which is 448 MiB of memory, and archives, half of all answers.
    settings = Settings()
    waiting_bytes = settings.max_total_upload_bytes + settings.max_total_answer_bytes // 2
    assert waiting_bytes < 448 * 1024**2


def test_pod_is_given_time_to_finish() -> None:
    pod = manifest("deployment.yaml")["spec"]["template"]["spec"]
    pause_s = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    shutdown_s = Settings.model_fields["shutdown_timeout_s"].default

    assert pod["terminationGracePeriodSeconds"] > pause_s + shutdown_s


def test_probes_ask_for_routes_that_there_are(app: Any) -> None:
    (container,) = manifest("deployment.yaml")["spec"]["template"]["spec"]["containers"]
    asked = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")}
    ready = container["readinessProbe"]["httpGet"]["path"]

    assert {*asked, ready} <= set(app.openapi()["paths"])
    assert (asked, ready) == ({"/health/live"}, "/health/ready")
