"""`colorize`, with an engine of tests on its workers and a bucket at `s3://`.

`python -m tests.service.bulk.ray_run ARGUMENTS` takes those of the command.
"""

from __future__ import annotations

import os
import signal
import time

from service import cli
from service.bulk import spread
from service.bulk.engine import Answer, Engine
from service.bulk.worker import LocalMaker
from tests.service.bulk.bucket import register

DEADLY = b"deadly"
PAUSE_S = 0.1


class Fragile(LocalMaker):
    """Makes engines that take their time, and die of some pictures."""

    def __call__(self) -> Engine:
        return FragileEngine(super().__call__())


class FragileEngine:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def color(self, data: bytes) -> list[Answer]:
        if data == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(PAUSE_S)
        return self._engine.color(data)


def main() -> None:
    # By its own name, not as what runs: other processes find it there.
    from tests.service.bulk.ray_run import Fragile

    register()
    spread.LocalMaker = Fragile  # type: ignore[misc]
    cli.app(prog_name="colorize")


if __name__ == "__main__":
    main()
