"""Which pictures a place has, page by page, so that no list of millions is held.

A folder is listed as a whole, since the name of an answer depends on what else lies
beside its picture. Nothing of it is kept when the next one comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from service.bulk.manifest import Known, Verdict, identify
from service.bulk.order import PICTURE_SUFFIXES, Order
from service.bulk.places import Entry, Place
from service.bulk.tasks import Source, find_answers, leave_out_answers

FIRST_PAGE = 2
"""Pictures of the first pages: small, so that every worker has some."""
LARGEST_PAGE = 64
"""Later: some seconds of work, beside which it is little what a page costs whoever hands it out."""
PAGES_OF_A_SIZE = 64
"""Before their size doubles."""
DONE_PAGE = 2048
"""Pictures on a page that has no work."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a place, and what its answers are called.

    Parameters
    ----------
    path : str
        In the place.
    target : str
        Path of the answers in theirs, without what the order and the format add.
    size : int
        In bytes.
    mark : str
        As of `Entry`.
    answers : tuple of str
        Paths of those that are there already; none where it is to be coloured.
    is_noted : bool
        Whether a manifest has it as it is.
    rival : str or None
        The picture whose answers have the same names.
    """

    path: str
    target: str
    size: int
    mark: str
    answers: tuple[str, ...] = ()
    is_noted: bool = False
    rival: str | None = None

    @property
    def needs_work(self) -> bool:
        """Whether it is to be coloured."""
        return not self.answers and self.rival is None


@dataclass(frozen=True)
class Plan:
    """What is to be listed, and what is done of it.

    Parameters
    ----------
    source : Place
    out : Place
    order : Order
    models : tuple of str
        All that there are, whose answers are no pictures.
    """

    source: Place
    out: Place
    order: Order
    models: tuple[str, ...]


def find_folders(plan: Plan, top: str = "") -> Iterator[tuple[str, list[Entry]]]:
    """List folders and the pictures in each, by name; the output is left out.

    Parameters
    ----------
    plan : Plan
    top : str
        Where to begin.

    Yields
    ------
    folder : str
        Its path.
    pictures : list of Entry
    """
    folders = [top]
    out = plan.out.show("")
    while folders:
        folder = folders.pop()
        pictures, children = [], []
        for entry in plan.source.entries(folder):
            path = _join(folder, entry.name)
            if entry.name.startswith("."):
                continue
            if entry.is_folder:
                if plan.source.show(path) != out:
                    children.append(path)
            elif PurePosixPath(entry.name).suffix.lower() in PICTURE_SUFFIXES:
                pictures.append(entry)
        pictures.sort(key=lambda entry: entry.name)
        yield folder, _leave_out_answers(pictures, plan.models)
        folders += sorted(children, reverse=True)


def list_pages(plan: Plan, known: Known, top: str = "") -> Iterator[list[Picture]]:
    """List pictures in pages, of what is to be done and of what is done already.

    The same pictures come on the same pages again, whatever has been coloured
    meanwhile: a listing that is lost half-way can be begun anew.

    Parameters
    ----------
    plan : Plan
    known : Known
        What earlier runs did.
    top : str
        Where to begin.
    """
    to_do: list[Picture] = []
    done: list[Picture] = []
    pages = 0
    for picture in _name_all(plan, known, top):
        (to_do if picture.needs_work else done).append(picture)
        if len(to_do) >= min(LARGEST_PAGE, FIRST_PAGE * 2 ** (pages // PAGES_OF_A_SIZE)):
            yield to_do
            to_do = []
            pages += 1
        if len(done) >= DONE_PAGE:
            yield done
            done = []
    yield from filter(None, (to_do, done))


def _name_all(plan: Plan, known: Known, top: str) -> Iterator[Picture]:
    for folder, entries in find_folders(plan, top):
        if not entries:
            continue
        written = _list_answers(plan.out, folder)
        names = [plan.source.show(_join(folder, entry.name)) for entry in entries]
        verdicts = known.judge(
            [
                identify(name, entry.size, entry.mark)
                for name, entry in zip(names, entries, strict=True)
            ]
        )
        stems = _name_stems(entries)
        taken: dict[str, str] = {}
        for name, entry, stem, verdict in zip(names, entries, stems, verdicts, strict=True):
            suffix = PurePosixPath(entry.name).suffix
            is_there = known.tell_answers(verdict, entry.written_ns, written)
            answers = find_answers(plan.order, stem, suffix, is_there)
            rival = taken.setdefault(stem, name)
            yield Picture(
                _join(folder, entry.name),
                _join(folder, stem),
                entry.size,
                entry.mark,
                tuple(_join(folder, answer) for answer in answers),
                verdict is Verdict.SAME,
                None if rival == name else rival,
            )


def _list_answers(out: Place, folder: str) -> dict[str, int | None]:
    """Tell when the files of a folder were written, by name; none where there is no folder."""
    try:
        return {entry.name: entry.written_ns for entry in out.entries(folder)}
    except FileNotFoundError:
        return {}


def _name_stems(entries: Sequence[Entry]) -> list[str]:
    """Name the answers of all pictures of a folder, as `plan_tasks` does."""
    names = [PurePosixPath(entry.name) for entry in entries]
    counts = Counter(name.stem for name in names)
    return [name.stem if counts[name.stem] == 1 else name.name for name in names]


def _leave_out_answers(entries: list[Entry], models: Sequence[str]) -> list[Entry]:
    sources = leave_out_answers([Source(Path(entry.name)) for entry in entries], models)
    names = {source.name for source in sources}
    return [entry for entry in entries if entry.name in names]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
