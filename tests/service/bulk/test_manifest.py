"""The manifest: what a run finds of earlier ones."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from service.bulk import manifest
from service.bulk.manifest import Known, Verdict, describe_order, identify
from service.bulk.order import Order
from service.bulk.places import LocalPlace, Place, open_place
from service.bulk.tasks import TaskError
from tests.service.bulk.conftest import DIGESTS, ORDER, Bulk


@pytest.fixture(params=["folder", "memory"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Place, Place]:
    if request.param == "memory":
        return request.getfixturevalue("memory"), open_place("memory://out")
    return LocalPlace(request.getfixturevalue("folder")), LocalPlace(tmp_path / "out")


def names_in(place: Place, folder: str = "") -> list[str]:
    return sorted(entry.name for entry in place.entries(folder))


def age(folder: Path) -> None:
    """Let an hour go by: clocks of file systems are coarse."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        hour_ago_s = path.stat().st_mtime - 3600
        os.utime(path, (hour_ago_s, hour_ago_s))


def test_second_run_finds_all_done(bulk: Bulk, places: tuple[Place, Place]) -> None:
    first, second = bulk(*places), bulk(*places)

    assert first.names("colored") == ["a.jpg", "b.png", "c.jpg"]
    assert second.names("skipped") == ["a.jpg", "b.png", "c.jpg"]
    assert [outcome.files for outcome in second.outcomes.values()] == [
        outcome.files for outcome in first.outcomes.values()
    ]
    # What is noted is not noted again.
    assert len(names_in(places[1], manifest.DONE)) == 1


def test_picture_that_changed_is_coloured_anew(bulk: Bulk, places: tuple[Place, Place]) -> None:
    source, out = places
    bulk(source, out)
    source.write("a.jpg", b"other")

    assert bulk(source, out).names("colored") == ["a.jpg"]
    assert out.read("a-v12.jpg") == b"rehto"
    assert bulk(source, out).names("colored") == []


def test_picture_that_becomes_older_is_coloured_anew(bulk: Bulk, folder: Path) -> None:
    source, out = LocalPlace(folder), LocalPlace(folder.parent / "out")
    bulk(source, out)
    (folder / "a.jpg").write_bytes(b"from an archive")
    os.utime(folder / "a.jpg", (1, 1))

    assert bulk(source, out).names("colored") == ["a.jpg"]


def test_picture_that_becomes_what_it_was_is_coloured_anew(bulk: Bulk, folder: Path) -> None:
    source, out = LocalPlace(folder), LocalPlace(folder.parent / "out")
    for data in (b"one", b"two", b"one"):
        (folder / "a.jpg").write_bytes(data)
        os.utime(folder / "a.jpg", (len(data), data[0]))
        bulk(source, out)

    assert out.read("a-v12.jpg") == b"eno"


def test_answer_that_was_removed_is_made_anew(bulk: Bulk, places: tuple[Place, Place]) -> None:
    bulk(*places)
    places[1].remove("below/b-v12.jpg")

    assert bulk(*places).names("colored") == ["b.png"]


def test_run_that_died_before_it_noted_is_gone_on_with(bulk: Bulk, folder: Path) -> None:
    source, out = LocalPlace(folder), LocalPlace(folder.parent / "out")
    bulk(source, out, dies_after=2)
    assert names_in(out, manifest.FOLDER) == ["begun", "order.json"]
    age(folder.parent)

    second = bulk(source, out)

    assert (second.names("skipped"), second.names("colored")) == (["a.jpg", "b.png"], ["c.jpg"])
    assert bulk(source, out).names("skipped") == ["a.jpg", "b.png", "c.jpg"]


def test_answers_of_another_engine_are_taken_once(bulk: Bulk, folder: Path) -> None:
    source, out = LocalPlace(folder), LocalPlace(folder.parent / "out")
    out.write("a-v12.jpg", b"by hand")
    age(folder.parent)

    assert bulk(source, out).names("skipped") == ["a.jpg"]
    assert bulk(source, out).names("skipped") == ["a.jpg", "b.png", "c.jpg"]


def test_forced_run_that_died_does_not_take_old_answers(bulk: Bulk, folder: Path) -> None:
    source, out = LocalPlace(folder), LocalPlace(folder.parent / "out")
    bulk(source, out)
    age(folder.parent)
    other = replace(ORDER, quality=50)
    bulk(source, out, other, is_forced=True, dies_after=2)
    age(folder.parent)

    second = bulk(source, out, other)

    assert (second.names("skipped"), second.names("colored")) == (["a.jpg", "b.png"], ["c.jpg"])


def test_failures_are_noted_and_tried_again(bulk: Bulk, places: tuple[Place, Place]) -> None:
    source, out = places
    source.write("empty.jpg", b"")

    for count in (1, 2):
        assert bulk(source, out).names("failed") == ["empty.jpg"]
        shards = names_in(out, manifest.FAILED)
        assert len(shards) == count
        (line,) = out.read(f"{manifest.FAILED}/{shards[-1]}").splitlines()
        assert json.loads(line) == {
            "picture": source.show("empty.jpg"),
            "status": "failed",
            "problem": {
                "type": "/problems/empty-upload",
                "title": "Empty upload",
                "status": 422,
                "detail": "A picture must have bytes. Received: 0 bytes",
                "received": 0,
            },
        }


def test_notes_can_be_read_as_a_table(bulk: Bulk, folder: Path) -> None:
    out = folder.parent / "out"
    bulk(LocalPlace(folder), LocalPlace(out))

    table = pq.read_table(out / manifest.DONE, columns=["picture", "files", "palettes", "size"])

    assert table.to_pylist()[0] == {
        "picture": f"{folder}/a.jpg",
        "files": [f"{out}/a-v12.jpg"],
        "palettes": [["#000000"]],
        "size": 5,
    }


def test_notes_are_written_when_there_are_enough(
    bulk: Bulk, places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LARGEST_SHARD", 2)
    bulk(*places)

    assert len(names_in(places[1], manifest.DONE)) == 2
    assert bulk(*places).names("skipped") == ["a.jpg", "b.png", "c.jpg"]


def test_notes_are_written_after_a_while(
    bulk: Bulk, places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LONGEST_S", 0.0)
    bulk(*places, dies_after=2)

    assert len(names_in(places[1], manifest.DONE)) == 2


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"quality": 80}, "quality was 90, is 80"),
        ({"models": ("v1",)}, "models was v12 22222222, is v1 11111111"),
        ({"palette": "red"}, 'palette was null, is "red"'),
        (
            {"kind": "variations", "count": 4},
            'count was 1, is 4, kind was "picture", is "variations"',
        ),
    ],
)
def test_other_order_is_refused_and_nothing_is_done(
    changes: dict[str, Any], difference: str, bulk: Bulk, places: tuple[Place, Place]
) -> None:
    source, out = places
    bulk(source, out)
    other = replace(ORDER, **changes)

    with pytest.raises(TaskError) as refused:
        bulk(source, out, other)

    assert str(refused.value) == (
        f"{out.show('')} has answers to another order ({difference}): name another folder, or "
        "colour all of it anew, with --force"
    )
    assert bulk(source, out).names("colored") == []
    assert bulk(source, out, other, is_forced=True).names("colored") == ["a.jpg", "b.png", "c.jpg"]


def test_reference_is_told_by_what_it_shows(tmp_path: Path) -> None:
    def described(name: str, data: bytes) -> dict[str, Any]:
        (tmp_path / name).write_bytes(data)
        return describe_order(Order(("v12",), reference=tmp_path / name), DIGESTS)

    assert described("a", b"1") == described("b", b"1") != described("c", b"2")


def test_known_judges_by_name_and_version() -> None:
    pictures = [identify(f"{index}.jpg", index, "") for index in range(100)]
    names, versions = np.array(sorted(pictures), np.uint64).T
    known = Known(names, versions)

    assert set(known.judge(pictures)) == {Verdict.SAME}
    assert known.judge([identify("7.jpg", 8, ""), identify("x.jpg", 7, "")]) == [
        Verdict.CHANGED,
        Verdict.NEW,
    ]


def test_known_takes_answers_of_its_time_only() -> None:
    known = Known(np.empty(0, np.uint64), np.empty(0, np.uint64), 10, 20)
    written = {"early": 9, "first": 10, "last": 19, "late": 20, "unknown": None}

    def taken(verdict: Verdict, changed_ns: int | None) -> list[str]:
        return list(filter(known.tell_answers(verdict, changed_ns, written), written))

    assert taken(Verdict.NEW, 5) == ["first", "last"]
    assert taken(Verdict.NEW, 11) == ["last"]
    assert taken(Verdict.NEW, None) == []
    assert taken(Verdict.CHANGED, 5) == []
    assert taken(Verdict.SAME, 5) == list(written)
