"""docker-compose.yml, as Docker Compose itself reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from tests.deploy.files import ROOT, run, tool


def compose(profiles: str = "*", **variables: str) -> Any:
    """Resolve the file with these profiles and variables."""
    # Of the shell nothing: a developer's variables must not decide.
    environment: Mapping[str, str] = {"PATH": os.environ["PATH"], "HOME": "/tmp", **variables}
    command = (tool("docker-compose"), "--env-file", "/dev/null", "--profile", profiles)
    return json.loads(run(*command, "config", "--format", "json", env=environment).stdout)


@pytest.fixture(scope="module")
def everything() -> Any:
    return compose()


@pytest.mark.parametrize(
    ("profile", "services"),
    [
        ("none", {"colorize"}),
        ("scale", {"colorize", "replica", "proxy"}),
        ("observe", {"colorize", "prometheus", "grafana"}),
        ("train", {"colorize", "train"}),
    ],
)
def test_profile_has_its_services(profile: str, services: set[str]) -> None:
    assert set(compose(profile)["services"]) == services


def test_every_service_is_confined(everything: Any) -> None:
    for name, service in everything["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "memory" in service["deploy"]["resources"]["limits"], name


def test_every_service_that_stays_is_restarted_and_checked(everything: Any) -> None:
    for name, service in everything["services"].items():
        if name in ("colorize", "replica"):
            continue  # their image has a check
        if name != "train":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] == "CMD", name


def test_ports_are_of_this_machine_alone(everything: Any) -> None:
    ports = [
        port for service in everything["services"].values() for port in service.get("ports", ())
    ]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


OF_UVICORN = "FORWARDED_ALLOW_IPS"


def test_settings_of_service_are_accepted(everything: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service = everything["services"]["colorize"]
    names = {f"COLORIZE_{name.upper()}" for name in Settings.model_fields}
    assert set(service["environment"]) <= names | {OF_UVICORN}
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)

    settings = Settings()

    memory_bytes = int(service["deploy"]["resources"]["limits"]["memory"])
    assert settings.max_total_upload_bytes + settings.max_total_answer_bytes < memory_bytes / 2
    # Bodies wait in /tmp.
    assert service["tmpfs"] == ["/tmp:size=448m,mode=1777"]
    waiting_bytes = settings.max_total_upload_bytes + settings.max_total_answer_bytes // 2
    assert waiting_bytes < 448 * 1024**2
    assert settings.api_keys == ()


def test_container_is_given_time_to_finish(everything: Any) -> None:
    for name in ("colorize", "replica"):
        assert everything["services"][name]["stop_grace_period"] == "30s"
    assert Settings.model_fields["shutdown_timeout_s"].default < 30


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"

    resolved = compose(API_KEYS_FILE=str(keys), METRICS_KEY_FILE="metrics.key")

    service = resolved["services"]["replica"]
    assert service["environment"]["COLORIZE_API_KEYS_FILE"] == "/run/secrets/api_keys"
    assert service["secrets"] == [{"source": "api_keys", "target": "/run/secrets/api_keys"}]
    assert resolved["secrets"]["api_keys"]["file"] == str(keys)
    assert resolved["secrets"]["metrics_key"]["file"] == str(ROOT / "metrics.key")


def test_without_keys_nothing_is_shown(everything: Any) -> None:
    for secret in everything["secrets"].values():
        assert Path(secret["file"]).read_bytes() == b""


def test_replicas_answer_to_one_name() -> None:
    replica = compose(REPLICAS="5")["services"]["replica"]

    assert replica["deploy"]["replicas"] == 5
    assert replica["networks"]["default"]["aliases"] == ["colorize"]


def test_mounted_files_exist(everything: Any) -> None:
    volumes = [
        volume
        for service in everything["services"].values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind" and not volume["source"].endswith("/runs")
    ]
    assert len(volumes) >= 4
    assert [volume for volume in volumes if not Path(volume["source"]).exists()] == []
