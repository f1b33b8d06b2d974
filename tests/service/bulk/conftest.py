"""A place with pictures, and an engine that is no more than a mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest

from service.bulk import places
from service.bulk.engine import Answer, Engine
from service.bulk.listing import Plan, list_pages
from service.bulk.manifest import Known, Manifest, describe_order
from service.bulk.order import Order
from service.bulk.places import Place, open_place
from service.bulk.run import Outcome
from service.bulk.worker import Job, Worker
from service.errors import EmptyUploadError

DIGESTS = {"v1": "1" * 64, "v12": "2" * 64}
ORDER = Order(("v12",), format_name="jpeg")


class Mirror:
    """Answers the bytes backwards."""

    def color(self, data: bytes) -> list[Answer]:
        if not data:
            raise EmptyUploadError
        return [Answer(data[::-1], "-v12", ".jpg", [["#000000"]])]


def make_mirror() -> Engine:
    return Mirror()


@dataclass
class Run:
    """What a run of one worker told, and what it knew before."""

    known: Known
    outcomes: dict[str, Outcome]

    def names(self, kind: str) -> list[str]:
        """Names of pictures that were coloured, skipped or failed."""
        kinds = {
            name: "failed" if o.problem else "skipped" if o.is_skipped else "colored"
            for name, o in self.outcomes.items()
        }
        return sorted(name.rpartition("/")[2] for name in kinds if kinds[name] == kind)


Bulk = Callable[..., Run]


@pytest.fixture
def bulk() -> Bulk:
    """Colour a place in this process, without Ray."""

    def run(
        source: Place,
        out: Place,
        order: Order = ORDER,
        *,
        is_forced: bool = False,
        dies_after: int | None = None,
    ) -> Run:
        plan = Plan(source, out, order, tuple(DIGESTS))
        manifest = Manifest(out)
        known = manifest.begin(describe_order(order, DIGESTS), is_forced=is_forced)
        worker = Worker(Job(plan, make_mirror), is_second=False)
        outcomes: dict[str, Outcome] = {}
        for page in list_pages(plan, known):
            for finished in worker.color(page):
                assert finished.outcome.picture not in outcomes
                outcomes[finished.outcome.picture] = finished.outcome
                picture = finished.picture
                if picture.needs_work or not picture.is_noted:
                    manifest.note(finished.outcome, picture.size, picture.mark)
                if len(outcomes) == dies_after:
                    return Run(known, outcomes)
        manifest.write()
        return Run(known, outcomes)

    return run


@pytest.fixture
def memory() -> Iterator[Place]:
    """A store in memory, with a few pictures."""
    file_system = fsspec.filesystem("memory")
    file_system.rm("/", recursive=True) if file_system.ls("/") else None
    for name in ("a.jpg", "below/b.png", "below/deep/c.jpg", "notes.txt", ".hidden.jpg"):
        file_system.pipe_file(f"/in/{name}", name.encode())
    yield open_place("memory://in")
    file_system.rm("/", recursive=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the same pictures."""
    for name in ("a.jpg", "below/b.png", "below/deep/c.jpg", "notes.txt", ".hidden.jpg"):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path / "in"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "FIRST_PAUSE_S", 0.0)
