"""Which pictures there are, and what their answers are to be called."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from PIL import Image

from service.bulk.order import PICTURE_SUFFIXES, Order, answer_pattern
from service.formats import FORMATS_BY_NAME
from service.parameters import FormatName

STANDARD = "-"
"""Standard input, or standard output."""
STANDARD_STEM = "picture"


class TaskError(Exception):
    """What is asked for cannot be laid out; nothing was done."""


@dataclass(frozen=True)
class Source:
    """A picture to be coloured.

    Parameters
    ----------
    path : Path or None
        None is standard input.
    place : Path
        Its folder, relative to what the user named: the tree that answers keep.
    """

    path: Path | None
    place: Path = Path()

    @property
    def name(self) -> str:
        """As people are told of it."""
        return STANDARD if self.path is None else str(self.path)

    @property
    def stem(self) -> str:
        """The name of the file, without its extension."""
        return STANDARD_STEM if self.path is None else self.path.stem

    @property
    def suffix(self) -> str:
        """The extension, with its dot."""
        return "" if self.path is None else self.path.suffix


@dataclass(frozen=True)
class Task:
    """A picture, and where its answers go.

    Parameters
    ----------
    source : Source
    folder : Path
        Of the answers.
    stem : str
        Of their names, before what the order adds.
    file : Path or None
        The one answer, where the user names it.
    """

    source: Source
    folder: Path
    stem: str
    file: Path | None = None

    @property
    def writes_to_standard(self) -> bool:
        """Whether the answer goes to standard output."""
        return self.file == Path(STANDARD)

    def path(self, ending: str, extension: str) -> Path:
        """Name an answer."""
        return self.file or self.folder / f"{self.stem}{ending}{extension}"

    def answers(self, order: Order) -> list[Path]:
        """List the answers if all of them are there and newer than the picture; else none."""
        if self.source.path is None or self.file is not None:
            return []
        changed_ns = _written_ns(self.source.path)
        if changed_ns is None:
            return []

        def is_newer(name: str) -> bool:
            return (_written_ns(self.folder / name) or 0) >= changed_ns

        return [
            self.folder / name
            for name in find_answers(order, self.stem, self.source.suffix, is_newer)
        ]


def find_answers(
    order: Order, stem: str, source_suffix: str, is_there: Callable[[str], bool]
) -> list[str]:
    """Name the answers of a picture if all of them are there; else none.

    Parameters
    ----------
    order : Order
    stem : str
        Of their names, before what the order adds.
    source_suffix : str
        Of the picture's name.
    is_there : callable
        Tells of a name.
    """
    found = []
    for ending in order.endings:
        names = (f"{stem}{ending}{extension}" for extension in order.extensions(source_suffix))
        name = next(filter(is_there, names), None)
        if name is None:
            return []
        found.append(name)
    return found


def find_sources(inputs: Iterable[str], out: Path | None, models: Sequence[str]) -> list[Source]:
    """Find the pictures that the user means.

    Parameters
    ----------
    inputs : iterable of str
        Files, folders, patterns, or ``-``. Of folders, with all that is below
        them, files that are called like pictures; nothing that is hidden.
    out : Path or None
        What is below it is no input.
    models : sequence of str
        Whose answers are no inputs either, where the picture itself is.

    Returns
    -------
    list of Source
        Each picture once, in the order of the inputs.

    Raises
    ------
    TaskError
        When there are none.
    """
    sources: dict[str, Source] = {}
    for text in inputs:
        for source in _expand(text, out):
            sources.setdefault(str((source.path or Path(STANDARD)).absolute()), source)
    found = leave_out_answers(list(sources.values()), models)
    if not found:
        raise TaskError(f"no pictures in {', '.join(inputs)}")
    return found


def lay_out(
    inputs: Sequence[str], out: str | None, order: Order, models: Sequence[str]
) -> tuple[Order, list[Task]]:
    """Find the pictures, and name what is made of them.

    Parameters
    ----------
    inputs : sequence of str
        As of `find_sources`.
    out : str or None
        A folder; or, for one picture, a file, or ``-``.
    order : Order
    models : sequence of str
        All that there are.

    Returns
    -------
    order : Order
        In the format that the name of the file asks for, unless the order says.
    tasks : list of Task

    Raises
    ------
    TaskError
        When that cannot be.
    """
    if out is None and list(inputs) == [STANDARD]:
        out = STANDARD
    folder = None if out is None or out == STANDARD else Path(out)
    sources = find_sources(inputs, folder, models)
    if out == STANDARD:
        _require_one(sources, order, "standard output takes")
        return order, [Task(sources[0], Path(), sources[0].stem, Path(STANDARD))]
    if folder is None or not _names_file(folder, inputs):
        return order, plan_tasks(sources, folder)
    _require_one(sources, order, f"{out} is a file, which takes")
    if order.format_name == "auto":
        order = replace(order, format_name=_format_of(folder))
    return order, [Task(sources[0], folder.parent, folder.stem, folder)]


def _names_file(path: Path, inputs: Sequence[str]) -> bool:
    """Tell whether answers go to a file of this name, not to a folder."""
    if path.is_dir() or path.suffix.lower() not in PICTURE_SUFFIXES:
        return False
    return path.is_file() or (len(inputs) == 1 and not Path(inputs[0]).is_dir())


def _require_one(sources: Sequence[Source], order: Order, rule: str) -> None:
    answers = len(sources) * len(order.endings)
    if answers != 1:
        raise TaskError(f"{rule} one answer. Received: {answers:,} to be made")


def _format_of(path: Path) -> FormatName:
    name = Image.registered_extensions()[path.suffix.lower()].lower()
    if name not in FORMATS_BY_NAME:
        raise TaskError(f"{path}: answers are {', '.join(FORMATS_BY_NAME)}. Received: {name}")
    return cast(FormatName, name)


def plan_tasks(sources: Sequence[Source], out: Path | None) -> list[Task]:
    """Name the answers of pictures.

    Parameters
    ----------
    sources : sequence of Source
    out : Path or None
        A folder; by default answers lie beside their pictures.

    Returns
    -------
    list of Task
        In the same order. Where pictures of a folder differ in their extension
        alone, it becomes part of the answers' names.

    Raises
    ------
    TaskError
        When two of them would be the same.
    """
    stems = Counter((_folder(source, out), source.stem) for source in sources)
    tasks = []
    taken: dict[tuple[Path, str], Source] = {}
    for source in sources:
        folder = _folder(source, out)
        is_alone = stems[folder, source.stem] == 1
        task = Task(source, folder, source.stem if is_alone else source.stem + source.suffix)
        other = taken.setdefault((folder, task.stem), source)
        if other is not source:
            raise TaskError(
                f"{other.name} and {source.name} would have answers of the same name in {folder}: "
                "name the folder that both are in, to keep its tree, or colour them one by one"
            )
        tasks.append(task)
    return tasks


def _folder(source: Source, out: Path | None) -> Path:
    if out is not None:
        return out / source.place
    return Path() if source.path is None else source.path.parent


def _expand(text: str, out: Path | None) -> Iterator[Source]:
    path = Path(text)
    if text == STANDARD:
        yield Source(None)
    elif path.is_dir():
        yield from _walk(path, out)
    elif glob.has_magic(text) and not path.exists():
        base = _fixed_part(path)
        names = glob.glob(text, recursive=True)  # noqa: PTH207 - this one leaves out what is hidden
        for match in map(Path, sorted(names)):
            if match.is_file():
                yield Source(match, match.parent.relative_to(base))
    else:
        # Whether it is there, and a picture, is told when its turn comes.
        yield Source(path)


def _walk(top: Path, out: Path | None) -> Iterator[Source]:
    for folder, children, names in os.walk(top):
        here = Path(folder)
        children[:] = sorted(
            child
            for child in children
            if not child.startswith(".") and not _is_same(here / child, out)
        )
        for name in sorted(names):
            path = here / name
            is_called_so = not name.startswith(".") and path.suffix.lower() in PICTURE_SUFFIXES
            if is_called_so and not _is_special(path):
                yield Source(path, here.relative_to(top))


def _is_special(path: Path) -> bool:
    """Tell whether it is a pipe or the like, which would be waited for without end."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        # That is told when its turn comes.
        return False


def _is_same(folder: Path, out: Path | None) -> bool:
    return out is not None and out.exists() and folder.samefile(out)


def _fixed_part(pattern: Path) -> Path:
    """Return the folders of a pattern before the first that is not named."""
    while glob.has_magic(str(pattern)):
        pattern = pattern.parent
    return pattern


def leave_out_answers(sources: Sequence[Source], models: Sequence[str]) -> list[Source]:
    """Leave out what an earlier run made of another picture."""
    if len(sources) == 1:
        return list(sources)
    pattern = answer_pattern(models)
    originals = {name for source in sources for name in (source.stem, source.stem + source.suffix)}

    def is_answer(source: Source) -> bool:
        match = pattern.fullmatch(source.stem)
        return match is not None and match[1] in originals

    return [source for source in sources if not is_answer(source)]


def _written_ns(path: Path) -> int | None:
    """Return when a file was written; None when there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
