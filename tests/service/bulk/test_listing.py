"""Listing: which pictures, in which pages, and what their answers are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.bulk import listing
from service.bulk.listing import Plan, find_folders, list_pages
from service.bulk.manifest import NOTHING_KNOWN, Known
from service.bulk.order import Order
from service.bulk.places import LocalPlace, Place, open_place
from service.bulk.tasks import find_sources, plan_tasks
from tests.service.bulk.conftest import ORDER

MODELS = ("v1", "v12")


def plan_for(source: Place, out: Place, order: Order = ORDER) -> Plan:
    return Plan(source, out, order, MODELS)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_stores_and_folders_are_listed_alike(memory: Place, folder: Path) -> None:
    for place in (memory, LocalPlace(folder)):
        out = open_place("memory://out")
        pages = list(list_pages(plan_for(place, out), NOTHING_KNOWN))
        found = [(picture.path, picture.target) for page in pages for picture in page]

        assert found == [
            ("a.jpg", "a"),
            ("below/b.png", "below/b"),
            ("below/deep/c.jpg", "below/deep/c"),
        ]


def test_names_are_those_of_the_local_engine(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(folder, *("a.jpg", "a.png", "b.jpg", "B.jpg", "c.d.jpg", "c.jpg", "a-v12.jpg"))
    touch(folder, *("x/a.jpg", "x/y/ü ö.webp", "x/b-v1-0.jpg", "x/b.jpg", "x/b-compare.png"))
    out = tmp_path / "out"

    tasks = plan_tasks(find_sources([str(folder)], out, MODELS), out)
    expected = {str(task.source.path): str(task.folder / task.stem) for task in tasks}

    pages = list_pages(plan_for(LocalPlace(folder), LocalPlace(out)), NOTHING_KNOWN)
    pictures = [picture for page in pages for picture in page]
    assert {str(folder / p.path): str(out / p.target) for p in pictures} == expected
    assert len(pictures) == len(expected)


def listed(plan: Plan, known: Known = NOTHING_KNOWN) -> list[listing.Picture]:
    return [picture for page in list_pages(plan, known) for picture in page]


def test_names_that_would_be_the_same_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png", "a.jpg.png")

    pictures = listed(plan_for(LocalPlace(tmp_path), LocalPlace(tmp_path / "out")))

    rivals = {picture.path: picture.rival for picture in pictures}
    assert rivals == {"a.jpg": None, "a.jpg.png": f"{tmp_path}/a.jpg", "a.png": None}


def test_output_inside_the_input_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "out/b.jpg", "other/out/c.jpg", "out/.colorize/d.jpg")

    pictures = listed(plan_for(LocalPlace(tmp_path), LocalPlace(tmp_path / "out")))

    assert [picture.path for picture in pictures] == ["a.jpg", "other/out/c.jpg"]


def test_pages_grow_and_have_every_picture_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LARGEST_PAGE", 8)
    names = [f"{index // 500}/{index:04}.jpg" for index in range(1000)]
    touch(tmp_path, *names)
    plan = plan_for(LocalPlace(tmp_path), LocalPlace(tmp_path / "out"))

    pages = list(list_pages(plan, NOTHING_KNOWN))

    assert [picture.path for page in pages for picture in page] == names
    sizes = [len(page) for page in pages]
    assert sizes[:2] == [listing.FIRST_PAGE] * 2
    assert sizes[:-1] == sorted(sizes[:-1])
    assert max(sizes) == 8


def test_pages_of_what_is_done_are_large(tmp_path: Path) -> None:
    names = [f"{index}.jpg" for index in range(100)]
    touch(tmp_path / "in", *names, "new.jpg")
    touch(tmp_path / "out", *(f"{index}-v12.jpg" for index in range(100)))
    plan = plan_for(LocalPlace(tmp_path / "in"), LocalPlace(tmp_path / "out"))
    known = Known(NOTHING_KNOWN.names, NOTHING_KNOWN.versions, 0, 2**62)

    to_do, done = list_pages(plan, known)

    assert ([picture.path for picture in to_do], len(done)) == (["new.jpg"], 100)
    assert done[0].answers == ("0-v12.jpg",)


def test_listing_is_the_same_whatever_is_coloured_meanwhile(tmp_path: Path) -> None:
    touch(tmp_path / "in", "a.jpg", "b.jpg")
    out = LocalPlace(tmp_path / "out")
    out.write("begun", b"")
    (begun,) = out.entries("")
    known = Known(NOTHING_KNOWN.names, NOTHING_KNOWN.versions, 0, begun.written_ns)
    plan = plan_for(LocalPlace(tmp_path / "in"), out)
    before = list(list_pages(plan, known))

    out.write("a-v12.jpg", b"")

    assert list(list_pages(plan, known)) == before
    assert [picture.needs_work for page in before for picture in page] == [True, True]


def test_one_folder_is_held_at_a_time(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    plan = plan_for(LocalPlace(tmp_path), LocalPlace(tmp_path / "out"))
    folders = find_folders(plan)

    assert next(folders)[0] == ""
    assert next(folders)[0] == "a"
    touch(tmp_path, "b/3.jpg")
    assert [entry.name for entry in next(folders)[1]] == ["2.jpg", "3.jpg"]
