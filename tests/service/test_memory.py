"""Freed memory is kept while there is work, and goes back to the system after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.memory import find_trim, give_back

ROOT = Path(__file__).parents[2]
COUNT_FAULTS = """
import resource
{prepare}
def use_and_free():
    blocks = [b"x" * (8 << 20) for _ in range(6)]
for _ in range(3):
    use_and_free()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(
    find_trim() is None, reason="only glibc keeps memory and can give it back"
)


def count_faults(prepare: str, environment: dict[str, str] | None = None) -> int:
    """Count the pages that the system must clear for 48 MB that were used just before."""
    code = COUNT_FAULTS.format(prepare=prepare)
    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env=environment or {},
    )
    return int(finished.stdout)


KEEP = "from service.memory import keep_freed; keep_freed()"


def test_keep_freed_spares_faults() -> None:
    # 12,288 pages of 4 kB; by itself the C library gives them back.
    assert count_faults("") > 6000
    assert count_faults(KEEP) < 600


def test_keep_freed_leaves_what_the_environment_sets() -> None:
    assert count_faults(KEEP, {"MALLOC_TRIM_THRESHOLD_": "131072"}) > 6000


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
