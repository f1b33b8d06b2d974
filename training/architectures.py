"""Networks by the names that recipes call them by."""

from __future__ import annotations

from training.network import ARCHITECTURES, Architecture
from training.rivals import RIVALS


def find_architecture(name: str) -> Architecture:
    """Return a network that is shipped, the published one, or a rival that was tried."""
    return {**RIVALS, **ARCHITECTURES}[name]
