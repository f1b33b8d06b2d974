"""Pictures at the same time, and how a run ends that is stopped."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from service.bulk import run
from service.bulk.engine import Answer
from service.bulk.run import has_workers, run_tasks
from service.bulk.tasks import Source, Task


class Waiting:
    """An engine that answers once and then, as a service may, not any more."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked = threading.Semaphore(0)

    def color(self, data: bytes) -> list[Answer]:
        if data:
            self.asked.release()
            self.released.wait(30)
        return [Answer(data, "-v12", ".jpg", [])]

    def close(self) -> None:
        """Close nothing: a service does not end with a run."""


def test_run_that_is_stopped_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LAST_STAGE_S", 0.05)
    tasks = []
    for index, data in enumerate((b"", b"late", b"never begun")):
        path = tmp_path / f"{index}.jpg"
        path.write_bytes(data)
        tasks.append(Task(Source(path), tmp_path / "out", path.stem))
    engine = Waiting()
    outcomes = run_tasks(tasks, engine, 1)
    assert next(outcomes).files == [str(tmp_path / "out" / "0-v12.jpg")]
    engine.asked.acquire()

    start = time.perf_counter()
    outcomes.close()

    assert time.perf_counter() - start < 5
    assert has_workers()
    engine.released.set()
    for _ in range(500):
        if not has_workers():
            break
        time.sleep(0.01)
    # What came too late is not written.
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0-v12.jpg"]
    assert not has_workers()
