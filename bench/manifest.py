"""What the manifest of `colorize --engine ray` takes: bytes, and processor time a picture.

`python -m bench.manifest` notes pictures that nobody has coloured, reads the notes as
the next run does, and lists a folder of empty files beside them.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from service.bulk.listing import Plan, list_pages
from service.bulk.manifest import DONE, NOTHING_KNOWN, Manifest
from service.bulk.order import Order
from service.bulk.places import LocalPlace
from service.bulk.run import Outcome

FOLDER_SIZE = 1000


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.manifest", description=__doc__)
    parser.add_argument("--count", type=int, default=50_000, help="pictures")
    options = parser.parse_args()
    chance = random.Random(0)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as top:
        source, out = LocalPlace(Path(top, "in")), LocalPlace(Path(top, "out"))
        names = [f"{index // FOLDER_SIZE:05}/{index:08}" for index in range(options.count)]
        for name in names:
            path = source.root / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        manifest = Manifest(out)
        manifest.begin({}, is_forced=False)
        seconds = [time.process_time()]
        for name in names:
            palette = [f"#{chance.getrandbits(24):06x}" for _ in range(6)]
            outcome = Outcome(
                source.show(f"{name}.jpg"),
                [out.show(f"{name}-v12.jpg")],
                [palette],
                chance.random(),
            )
            manifest.note(outcome, chance.getrandbits(20), f"{chance.getrandbits(128):032x}")
        manifest.write()
        seconds.append(time.process_time())
        size = sum(path.stat().st_size for path in (out.root / DONE).iterdir())
        known = Manifest(out).begin({}, is_forced=False)
        seconds.append(time.process_time())
        plan = Plan(source, out, Order(("v12",)), ("v12",))
        for listed_with in (NOTHING_KNOWN, known):
            listed = sum(len(page) for page in list_pages(plan, listed_with))
            seconds.append(time.process_time())
    print(f"| {options.count:,} pictures, {listed:,} listed | a picture |")
    print("| --- | --- |")
    print(f"| on disk | {size / options.count:.0f} bytes |")
    held = known.names.nbytes + known.versions.nbytes
    print(f"| in memory, of the next run | {held / options.count:.0f} bytes |")
    steps = ("noted", "read", "listed, nothing known", "listed, beside what is known")
    for what, begin, end in zip(steps, seconds, seconds[1:], strict=False):
        print(f"| {what} | {(end - begin) / options.count * 1e6:.0f} us |")


if __name__ == "__main__":
    main()
