"""What computes: names, order, and what is said of those that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from service import colorizer
from service.colorizer import Registry
from service.errors import ExecutionProviderError
from service.providers import available_providers, check_in_use, find_providers
from service.settings import Settings

FULL_BUILD = [
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "AzureExecutionProvider",
    "CPUExecutionProvider",
]


@pytest.fixture
def full_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: FULL_BUILD)


def test_cpu_is_in_every_build() -> None:
    assert available_providers()["cpu"] == "CPUExecutionProvider"


def test_find_providers_keeps_order(full_build: None) -> None:
    assert find_providers(["openvino", "cuda", "cpu"]) == [
        "OpenVINOExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]


@pytest.mark.parametrize("name", ["coreml", "azure", "CUDA", ""])
def test_find_absent_provider_names_those_that_are_there(name: str, full_build: None) -> None:
    with pytest.raises(ExecutionProviderError) as caught:
        find_providers(["cpu", name])

    assert caught.value.detail == (
        "COLORIZE_EXECUTION_PROVIDERS must name what is there: cuda, openvino, cpu. "
        f"Received: {name}, which is not in the installed build of ONNX Runtime"
    )


def test_provider_that_was_left_out_is_told(full_build: None) -> None:
    with pytest.raises(ExecutionProviderError) as caught:
        check_in_use(["CPUExecutionProvider"], ["cuda", "cpu"])

    assert caught.value.detail == (
        "COLORIZE_EXECUTION_PROVIDERS must name what is there: cpu. "
        "Received: cuda, which could not be started on this machine"
    )


@pytest.mark.parametrize(
    ("providers", "falls_back"), [(("cuda", "cpu"), True), (("cuda",), False), (("cpu",), True)]
)
def test_session_falls_back_to_cpu_only_when_named(
    providers: tuple[str, ...],
    falls_back: bool,
    full_build: None,
    models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: dict[str, Any] = {}
    real = onnxruntime.InferenceSession

    class Session:
        """Takes what a build with CUDA would take, and computes on the CPU."""

        def __init__(self, artifact: bytes, options: Any, providers: list[str]) -> None:
            opened.update(options=options, providers=providers)
            self._session = real(artifact, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return list(opened["providers"])

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

    monkeypatch.setattr(colorizer.onnxruntime, "InferenceSession", Session)

    model = Registry.load(models_dir, 1, providers=providers).get("v1")

    assert model.providers == providers
    assert opened["providers"] == [f"{name.upper()}ExecutionProvider" for name in providers]
    key = "session.disable_cpu_ep_fallback"
    if falls_back:
        with pytest.raises(RuntimeError, match="does not have configuration"):
            opened["options"].get_session_config_entry(key)
    else:
        assert opened["options"].get_session_config_entry(key) == "1"


def test_settings_split_providers() -> None:
    assert Settings(execution_providers="cuda, cpu").execution_providers == ("cuda", "cpu")
