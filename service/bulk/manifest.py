"""What a run has done, noted in the folder of its answers, so that another run can go on.

`.colorize/` has the order in `order.json`, a file for every few thousand pictures in
`done/`, as Parquet, and those that failed in `failed/`, as lines of JSON. Notes are
written after the answers: what is noted is done, what is not may be done again, under
the same names.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import to_jsonable_python

from service.bulk.order import Order
from service.bulk.places import Place
from service.bulk.report import describe_outcome
from service.bulk.run import Outcome
from service.bulk.tasks import TaskError

FOLDER = ".colorize"
ORDER = f"{FOLDER}/order.json"
BEGUN = f"{FOLDER}/begun"
DONE = f"{FOLDER}/done"
FAILED = f"{FOLDER}/failed"

LARGEST_SHARD = 20_000
"""Pictures that are noted at once."""
LONGEST_S = 10.0
"""From one note to the next: as much is coloured again after a power cut."""

UInt64 = npt.NDArray[np.uint64]


class Verdict(IntEnum):
    """What earlier runs know of a picture."""

    NEW = 0
    CHANGED = 1
    SAME = 2


def identify(name: str, size: int, mark: str) -> tuple[int, int]:
    """Make two numbers of a picture: one of its name, one of what it holds.

    Returns
    -------
    tuple of int
        In [0, 2**64).
    """
    return _hash(name), _hash(f"{size} {mark}")


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


@dataclass(frozen=True)
class Known:
    """What earlier runs did: 16 bytes for each picture.

    Parameters
    ----------
    names : ndarray of uint64, shape (N,)
        Of pictures, as from `identify`, ascending, each once.
    versions : ndarray of uint64, shape (N,)
        What each held when it was coloured last.
    since_ns : int
        When the order was begun, by the clock of the place of the answers. What
        was written from then on was written for it.
    until_ns : int or None
        When this run was begun, by the same clock; None where it has none, and
        nothing counts but what was noted.
    """

    names: UInt64
    versions: UInt64
    since_ns: int = 0
    until_ns: int | None = None

    def judge(self, pictures: Sequence[tuple[int, int]]) -> list[Verdict]:
        """Tell what is known of pictures, each as from `identify`."""
        if not len(self.names):
            return [Verdict.NEW] * len(pictures)
        wanted = np.array(pictures, np.uint64).reshape(-1, 2)
        places = np.searchsorted(self.names, wanted[:, 0]).clip(max=len(self.names) - 1)
        is_known = self.names[places] == wanted[:, 0]
        is_same = is_known & (self.versions[places] == wanted[:, 1])
        return [Verdict(number) for number in is_known.astype(int) + is_same]

    def tell_answers(
        self, verdict: Verdict, changed_ns: int | None, written: Mapping[str, int | None]
    ) -> Callable[[str], bool]:
        """Make what tells whether a file is an answer of the picture as it is now.

        Parameters
        ----------
        verdict : Verdict
            On the picture.
        changed_ns : int or None
            When it was written.
        written : mapping of str to int or None
            When each file of the folder of its answers was.
        """
        if verdict is Verdict.SAME:
            return written.__contains__
        if verdict is Verdict.CHANGED or changed_ns is None or self.until_ns is None:
            return lambda _: False
        first_ns, until_ns = max(changed_ns, self.since_ns), self.until_ns
        return lambda name: first_ns <= (written.get(name) or -1) < until_ns


NOTHING_KNOWN = Known(np.empty(0, np.uint64), np.empty(0, np.uint64))


def describe_order(order: Order, models: Mapping[str, str]) -> dict[str, Any]:
    """Say what answers depend on, beside the pictures.

    Parameters
    ----------
    order : Order
    models : mapping of str to str
        SHA-256 of the artifacts.
    """
    wanted = asdict(order)
    if order.reference is not None:
        wanted["reference"] = hashlib.sha256(order.reference.read_bytes()).hexdigest()
    wanted["models"] = {name: models[name] for name in order.models}
    described: dict[str, Any] = to_jsonable_python(wanted)
    return described


class Manifest:
    """The notes of one run.

    Parameters
    ----------
    place : Place
        Of the answers.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        # Names in the order of time, of this run alone.
        self._run = f"{time.time_ns():020}-{uuid.uuid4().hex[:8]}"
        self._shards = 0
        self._rows: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._noted_s = time.monotonic()

    def begin(self, wanted: dict[str, Any], *, is_forced: bool) -> Known:
        """Begin a run, and tell what earlier ones did.

        Parameters
        ----------
        wanted : dict
            As from `describe_order`.
        is_forced : bool
            Whether what they did is to be forgotten.

        Raises
        ------
        TaskError
            When they did something else.
        """
        before = self._read_order()
        if before is not None and before != wanted and not is_forced:
            raise TaskError(
                f"{self._place.show('')} has answers to another order "
                f"({_compare(before, wanted)}): name another folder, or colour all of it anew, "
                "with --force"
            )
        if is_forced:
            for name in self._shards_of(DONE):
                self._place.remove(f"{DONE}/{name}")
        if before is None or is_forced:
            self._place.write(ORDER, json.dumps(wanted, indent=2).encode())
        self._place.write(BEGUN, self._run.encode())
        times = {entry.name: entry.written_ns for entry in self._place.entries(FOLDER)}
        names, versions = self._read_done()
        since_ns = 0 if before is None and not is_forced else times["order.json"] or 0
        return Known(names, versions, since_ns, times["begun"])

    def note(self, outcome: Outcome, size: int, mark: str) -> None:
        """Note what became of a picture; written when there is enough of it."""
        if outcome.problem is not None:
            self._failures.append(describe_outcome(outcome))
        else:
            name_key, version_key = identify(outcome.picture, size, mark)
            self._rows.append(
                {
                    "name_key": name_key,
                    "version_key": version_key,
                    "picture": outcome.picture,
                    "size": size,
                    "mark": mark,
                    "files": outcome.files,
                    "palettes": outcome.palettes,
                    "elapsed_s": outcome.elapsed_s,
                }
            )
        is_enough = len(self._rows) + len(self._failures) >= LARGEST_SHARD
        if is_enough or time.monotonic() - self._noted_s > LONGEST_S:
            self.write()

    def write(self) -> None:
        """Write what is not written yet."""
        name = f"{self._run}-{self._shards:06}"
        if self._rows:
            self._place.write(f"{DONE}/{name}.parquet", _pack(self._rows))
        if self._failures:
            lines = "".join(json.dumps(failure) + "\n" for failure in self._failures)
            self._place.write(f"{FAILED}/{name}.jsonl", lines.encode())
        self._shards += 1
        self._rows, self._failures = [], []
        self._noted_s = time.monotonic()

    def _read_order(self) -> dict[str, Any] | None:
        try:
            before: dict[str, Any] = json.loads(self._place.read(ORDER))
        except FileNotFoundError:
            return None
        return before

    def _read_done(self) -> tuple[UInt64, UInt64]:
        """Read all notes: of each picture the last."""
        names, versions = [NOTHING_KNOWN.names], [NOTHING_KNOWN.versions]
        for shard in self._shards_of(DONE):
            for keys, column in zip(
                _unpack(self._place.read(f"{DONE}/{shard}")), (names, versions), strict=True
            ):
                column.append(keys)
        all_names, all_versions = np.concatenate(names), np.concatenate(versions)
        order = np.argsort(all_names, kind="stable")
        sorted_names = all_names[order]
        is_last = np.append(sorted_names[1:] != sorted_names[:-1], True)[: len(order)]
        return sorted_names[is_last], all_versions[order][is_last]

    def _shards_of(self, folder: str) -> list[str]:
        try:
            entries = list(self._place.entries(folder))
        except FileNotFoundError:
            return []
        return sorted(entry.name for entry in entries if not entry.name.startswith("."))


def _compare(before: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Say in what two orders differ."""
    names = sorted(name for name in before.keys() | wanted if before.get(name) != wanted.get(name))
    return ", ".join(
        f"{name} was {_show(before.get(name))}, is {_show(wanted.get(name))}" for name in names
    )


def _show(value: Any) -> str:
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return " and ".join(f"{name} {text[:8]}" for name, text in value.items())
    return json.dumps(value)


def _pack(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.list_(pa.string())
    schema = pa.schema(
        {
            "name_key": pa.uint64(),
            "version_key": pa.uint64(),
            "picture": pa.string(),
            "size": pa.int64(),
            "mark": pa.string(),
            "files": texts,
            "palettes": pa.list_(texts),
            "elapsed_s": pa.float32(),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), buffer, compression="zstd")
    return buffer.getvalue()


def _unpack(data: bytes) -> Iterable[UInt64]:
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data), columns=["name_key", "version_key"])
    return [column.to_numpy() for column in table.columns]
