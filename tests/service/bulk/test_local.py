"""How the cores of this machine are shared between pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.bulk import local
from service.bulk.local import PICTURES_WORTH_A_PROCESS, LocalWorkshop
from service.bulk.order import Order
from service.settings import Settings

MANY = 4 * PICTURES_WORTH_A_PROCESS
ORDER = Order(("v12",))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is made in place of engines: how many, and the threads of each."""
    made: list[tuple[str, int]] = []

    def make_engine(*arguments: Any) -> None:
        _, _, threads, _ = arguments
        made.append(("one", threads))

    def make_crew(make_engine: Any, count: int) -> None:
        make_engine()
        made[-1] = (f"{count} processes", made[-1][1])

    monkeypatch.setattr(local, "LocalEngine", make_engine)
    monkeypatch.setattr(local, "Crew", make_crew)
    monkeypatch.setattr(local, "CAN_COPY", True)
    monkeypatch.setattr(local, "available_cores", lambda: 4)
    monkeypatch.setattr("service.settings.available_cores", lambda: 4)
    return made


@pytest.mark.parametrize(
    ("jobs", "count", "intra_op_threads", "expected"),
    [
        (None, 1, 1, ("one", 4)),
        (None, 2, 1, ("one", 2)),
        (None, MANY - 1, 1, ("one", 1)),
        (None, MANY, 1, ("4 processes", 1)),
        (None, MANY, 2, ("2 processes", 2)),
        # Nobody who asks for one job wants more than a core of it.
        (1, MANY, 1, ("one", 1)),
        (1, 1, 1, ("one", 1)),
        (2, MANY, 1, ("2 processes", 1)),
        (2, 1, 1, ("one", 2)),
        (8, 2 * MANY, 1, ("8 processes", 1)),
        # Together they are never more than there are.
        (4, MANY, 2, ("4 processes", 1)),
        (1, 1, 4, ("one", 4)),
    ],
)
def test_engine_uses_as_many_cores_as_it_may(
    jobs: int | None,
    count: int,
    intra_op_threads: int,
    expected: tuple[str, int],
    made: list[tuple[str, int]],
    models_dir: Path,
) -> None:
    workshop = LocalWorkshop(Settings(models_dir=models_dir, intra_op_threads=intra_op_threads))

    workshop.engine(ORDER, jobs or workshop.jobs(), count)

    assert made == [expected]


@pytest.mark.parametrize(("can_copy", "provider"), [(False, "cpu"), (True, "cuda")])
def test_engine_stays_in_this_process_where_copies_do_harm(
    can_copy: bool,
    provider: str,
    made: list[tuple[str, int]],
    models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "CAN_COPY", can_copy)
    workshop = LocalWorkshop(Settings(models_dir=models_dir, execution_providers=(provider,)))

    workshop.engine(ORDER, 4, MANY)

    assert made == [("one", 1)]
