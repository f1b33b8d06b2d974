"""What computes: the execution providers of ONNX Runtime, by short names."""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime

from service.errors import ExecutionProviderError

CPU = "cpu"
CPU_ONLY = (CPU,)
ENDING = "ExecutionProvider"
REMOTE = "AzureExecutionProvider"
"""Would send pictures away, and is in every build."""


def available_providers() -> dict[str, str]:
    """List what this build of ONNX Runtime has: ``{"cpu": "CPUExecutionProvider"}``."""
    return {
        name.removesuffix(ENDING).lower(): name
        for name in onnxruntime.get_available_providers()
        if name != REMOTE
    }


def find_providers(wanted: Sequence[str]) -> list[str]:
    """Translate short names, in their order.

    Raises
    ------
    ExecutionProviderError
        When one is not in this build; it names those that are.
    """
    available = available_providers()
    for name in wanted:
        if name not in available:
            raise ExecutionProviderError(name, list(available))
    return [available[name] for name in wanted]


def check_in_use(present: Sequence[str], wanted: Sequence[str]) -> None:
    """Make sure that a session got what it was opened with.

    ONNX Runtime leaves out what cannot start, such as CUDA without its libraries,
    and only warns of it.

    Raises
    ------
    ExecutionProviderError
        When one is missing.
    """
    available = available_providers()
    for name in wanted:
        if available[name] not in present:
            in_use = [name.removesuffix(ENDING).lower() for name in present]
            raise ExecutionProviderError(name, in_use, "could not be started on this machine")
