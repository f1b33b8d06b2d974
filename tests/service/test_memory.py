"""Freed memory goes back to the system."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.memory import find_trim, give_back


@pytest.mark.skipif(find_trim() is None, reason="only glibc keeps memory and can give it back")
def test_give_back_shrinks_process() -> None:
    def resident_kb() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

    # Small blocks between others that stay: nothing that would be given back by itself.
    blocks = [bytes(60_000) for _ in range(2000)]
    kept = blocks[::2]
    before = resident_kb()
    del blocks
    give_back()

    assert resident_kb() < before - 30_000
    assert len(kept) == 1000
