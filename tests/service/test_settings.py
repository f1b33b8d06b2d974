"""Settings come from the environment, are documented, and never overbook the cores."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

import service
from service import settings as settings_module
from service.settings import PREFIX, Settings, available_cores, describe_settings_errors

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", *(f"{PREFIX}{field.upper()}" for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "available_cores", lambda: 4)


def test_settings_default_without_environment() -> None:
    settings = Settings()

    assert (settings.host, settings.port, settings.default_model) == ("127.0.0.1", 8000, "v12")
    assert settings.max_upload_bytes == 67_108_864
    assert settings.max_picture_pixels == 100_000_000
    assert settings.models_dir.name == "models"


def test_settings_read_prefixed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORIZE_DEFAULT_MODEL", "v1")
    monkeypatch.setenv("COLORIZE_MODELS_DIR", "/srv/models")
    monkeypatch.setenv("COLORIZE_MAX_UPLOAD_BYTES", "")

    settings = Settings()

    assert (settings.default_model, settings.models_dir) == ("v1", Path("/srv/models"))
    assert settings.max_upload_bytes == 67_108_864


@pytest.mark.parametrize(("host_name", "port_name"), [("HOST", "PORT"), (None, None)])
def test_settings_read_host_and_port(
    host_name: str | None, port_name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_name or "COLORIZE_HOST", "0.0.0.0")
    monkeypatch.setenv(port_name or "COLORIZE_PORT", "9000")

    settings = Settings()

    assert (settings.host, settings.port) == ("0.0.0.0", 9000)


def test_settings_prefer_prefixed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("COLORIZE_PORT", "9001")

    assert Settings().port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536),
        ("max_upload_bytes", 0),
        ("max_picture_pixels", -1),
        ("working_slots", 0),
        ("intra_op_threads", 0),
        ("no_such_setting", 1),
    ],
)
def test_settings_refuse_bad_value(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    ("given", "shared"),
    [
        ({}, (4, 1)),
        ({"intra_op_threads": 2}, (2, 2)),
        ({"intra_op_threads": 3}, (1, 3)),
        ({"working_slots": 1}, (1, 4)),
        ({"working_slots": 3}, (3, 1)),
        ({"working_slots": 2, "intra_op_threads": 1}, (2, 1)),
    ],
)
def test_settings_share_cores(given: dict[str, int], shared: tuple[int, int]) -> None:
    settings = Settings(**given)

    assert (settings.working_slots, settings.intra_op_threads) == shared


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    "given",
    [{"working_slots": 5}, {"intra_op_threads": 5}, {"working_slots": 2, "intra_op_threads": 3}],
)
def test_settings_refuse_more_threads_than_cores(given: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=r"at most the available cores, 4\. Received: "):
        Settings(**given)


# Cores


@pytest.fixture
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)


def cores_with(tmp_path: Path, membership: str, files: dict[str, str]) -> int:
    """Count the cores under a control group tree made of `files`."""
    membership_file = tmp_path / "membership"
    membership_file.write_text(membership)
    root = tmp_path / "cgroup"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return available_cores(membership_file, root)


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 16),
        (
            "0::/pod/box\n",
            {"pod/cpu.max": "300000 100000\n", "pod/box/cpu.max": "max 100000\n"},
            3,
        ),
        (
            "4:cpu,cpuacct:/box\n1:name=systemd:/\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "400000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            4,
        ),
        (
            "4:cpu:/box\n",
            {"cpu/box/cpu.cfs_quota_us": "-1", "cpu/box/cpu.cfs_period_us": "100000"},
            16,
        ),
        ("", {}, 16),
    ],
)
def test_available_cores_respect_quota(
    membership: str, files: dict[str, str], cores: int, tmp_path: Path
) -> None:
    assert cores_with(tmp_path, membership, files) == cores


@pytest.mark.usefixtures("sixteen_cores")
def test_available_cores_without_control_groups(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "absent", tmp_path / "none") == 16


# Documentation


def test_configuration_table_lists_every_setting() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text().splitlines()
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in table if line.startswith("| `")]

    documented = {cells[0].strip("`"): (cells[1], cells[2]) for cells in rows}

    assert documented == {
        f"{PREFIX}{name.upper()}": (
            "computed" if field.default is PydanticUndefined else f"`{field.default}`",
            field.description,
        )
        for name, field in Settings.model_fields.items()
    }


def test_package_version_is_that_of_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert service.__version__ == project["version"]


# Keys and origins


def test_keys_of_environment_and_file_are_joined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys_file = tmp_path / "keys"
    keys_file.write_text("# the gallery\nthird\n\n  fourth  \n")
    monkeypatch.setenv("COLORIZE_API_KEYS", "first, second")
    monkeypatch.setenv("COLORIZE_API_KEYS_FILE", str(keys_file))

    settings = Settings()

    keys = [key.get_secret_value() for key in settings.api_keys]
    assert keys == ["first", "second", "third", "fourth"]
    assert "first" not in repr(settings)


@pytest.mark.parametrize("keys", ["first,", "first,,second", "two words", "schlüssel"])
def test_keys_that_cannot_be_are_not_shown(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORIZE_API_KEYS", keys)

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert describe_settings_errors(caught.value) == (
        "error: COLORIZE_API_KEYS: each key must be printable ASCII, without spaces and commas"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "COLORIZE_API_KEYS_FILE: cannot be read: "),
        ("# nothing\n", "COLORIZE_API_KEYS_FILE: no key in "),
        ("two words\n", "COLORIZE_API_KEYS_FILE: a line of "),
    ],
)
def test_keys_file_without_keys_stops_start(
    content: str | None, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys_file = tmp_path / "keys"
    if content is not None:
        keys_file.write_text(content)
    monkeypatch.setenv("COLORIZE_API_KEYS_FILE", str(keys_file))

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert describe_settings_errors(caught.value).startswith(f"error: {message}")


def test_origins_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORIZE_CORS_ORIGINS", "https://a.example, https://b.example")

    assert Settings().cors_origins == ("https://a.example", "https://b.example")
