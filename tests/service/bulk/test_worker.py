"""A worker: what it colours, and what it does when it takes the place of a dead one."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from service.bulk import worker as module
from service.bulk.engine import Answer, Engine, EngineError
from service.bulk.listing import Picture, Plan
from service.bulk.order import Order
from service.bulk.places import LocalPlace, Place, RemotePlace, open_place
from service.bulk.worker import Apart, Job, LocalMaker, Painter, Worker
from service.colorizer import read_card
from service.settings import Settings
from service.steering import Look
from tests.service.bulk.conftest import ORDER, Mirror, make_mirror


class Deadly(Mirror):
    """Dies of some pictures."""

    def color(self, data: bytes) -> list[Answer]:
        if data == b"deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().color(data)


def make_deadly() -> Engine:
    return Deadly()


def picture(name: str) -> Picture:
    return Picture(f"{name}.jpg", name, 1, "")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    source = LocalPlace(tmp_path / "in")
    for name in ("a", "b", "c"):
        source.write(f"{name}.jpg", name.encode())
    source.write("deadly.jpg", b"deadly")
    return Plan(source, LocalPlace(tmp_path / "out"), ORDER, ("v12",))


def test_page_is_coloured_and_told(plan: Plan) -> None:
    done = Picture("b.jpg", "b", 1, "", ("b-v12.jpg",))
    rival = Picture("c.jpg", "a", 1, "", rival="a.jpg")

    page = [picture("a"), done, rival, picture("absent")]
    finished = Worker(Job(plan, make_mirror), is_second=False).color(page)

    colored, skipped, taken, absent = (each.outcome for each in finished)
    assert [each.picture for each in finished] == page
    assert (colored.picture, colored.files) == (
        plan.source.show("a.jpg"),
        [plan.out.show("a-v12.jpg")],
    )
    assert (skipped.is_skipped, skipped.files) == (True, [plan.out.show("b-v12.jpg")])
    assert taken.problem == {"title": "Name taken", "detail": "a.jpg has answers of the same name"}
    assert absent.problem == {
        "title": "File error",
        "detail": f"No such file or directory: {plan.source.show('absent.jpg')}",
    }
    assert [entry.name for entry in plan.out.entries("")] == ["a-v12.jpg"]


def test_full_disk_ends_the_page(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("service.bulk.places.write_whole", fail)
    (finished,) = Worker(Job(plan, make_mirror), is_second=False).color(
        [picture("a"), picture("b")]
    )

    assert finished.outcome.is_last


def test_far_places_are_waited_for_while_another_picture_is_coloured(
    memory: Place,
) -> None:
    together = threading.Barrier(2, timeout=20)
    coloring: list[bytes] = []

    class Far(type(memory)):  # type: ignore[misc]
        def read(self, path: str) -> bytes:
            together.wait()
            return path.encode()

    class Single(Mirror):
        def color(self, data: bytes) -> list[Answer]:
            coloring.append(data)
            assert len(coloring) == 1
            answers = super().color(data)
            coloring.remove(data)
            return answers

    assert isinstance(memory, RemotePlace)
    source = Far(memory.file_system, memory.root)
    plan = Plan(source, open_place("memory://out"), ORDER, ("v12",))
    page = [picture(str(index)) for index in range(8)]

    finished = Worker(Job(plan, Single), is_second=False).color(page)

    assert [each.picture for each in finished] == page
    assert [each.outcome.files for each in finished] == [
        [f"memory:///out/{index}-v12.jpg"] for index in range(8)
    ]


def test_second_worker_survives_what_killed_the_first(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGES_WITH_CARE", 2)
    worker = Worker(Job(plan, make_deadly), is_second=True)

    painters, outcomes = [], []
    for name in ("deadly", "b", "c"):
        painters.append(type(worker._painter))
        (finished,) = worker.color([picture(name)])
        outcomes.append(finished.outcome)

    lost, *colored = outcomes
    assert lost.problem == {
        "title": "Worker lost",
        "detail": "The process that coloured it died, and so did a second one",
    }
    assert [outcome.files for outcome in colored] == [
        [plan.out.show("b-v12.jpg")],
        [plan.out.show("c-v12.jpg")],
    ]
    # With care, but not for ever.
    assert painters == [Apart, Apart, Painter]
    assert multiprocessing.active_children() == []


def test_worker_must_have_the_same_models(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir)
    digest = read_card(models_dir / "v12.onnx").sha256

    LocalMaker(settings, Order(("v12",)), Look(), {"v12": digest})()
    with pytest.raises(EngineError) as refused:
        LocalMaker(settings, Order(("v12",)), Look(), {"v12": "0" * 64})()

    assert str(refused.value) == (
        f"{models_dir} of {os.uname().nodename}: model v12 must be 00000000. Received: {digest[:8]}"
    )


def test_worker_finds_models_where_its_machine_has_them(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORIZE_MODELS_DIR", str(models_dir))
    digest = read_card(models_dir / "v12.onnx").sha256

    LocalMaker(Settings(models_dir=tmp_path / "absent"), Order(("v12",)), Look(), {"v12": digest})()
