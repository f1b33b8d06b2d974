"""The 100 % line: threads that call the pipeline, with no server in between.

Run as `python -m bench.in_process`; prints the same JSON as `bench.load`. With
`--on-demand` it stays, and runs once for each line that it reads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from bench.load import Outcome
from service.colorizer import Registry
from service.images import Limits
from service.pipeline import colorize
from service.settings import Settings


class Threads:
    """As many threads as the service has slots, and what it would load.

    Parameters
    ----------
    pictures : list of bytes
        Taken in turn.
    """

    def __init__(self, pictures: list[bytes]) -> None:
        settings = Settings()
        registry = Registry.load(settings.models_dir, settings.intra_op_threads)
        self._colorizer = registry.get(settings.default_model)
        self._limits = Limits(max_pixels=settings.max_picture_pixels)
        self._count = settings.working_slots
        self._upcoming = itertools.cycle(pictures)
        # The first picture makes tables; the service has them made before it listens.
        self._colorize_next()

    def run(self, warm_up_s: float, seconds: float) -> Outcome:
        """Colour pictures.

        Parameters
        ----------
        warm_up_s, seconds : float
            Not measured; measured.

        Returns
        -------
        outcome : Outcome
        """
        outcome = Outcome(seconds=seconds)
        begin = time.perf_counter() + warm_up_s
        end = begin + seconds

        def keep_busy() -> None:
            while True:
                start = time.perf_counter()
                if start >= end:
                    break
                self._colorize_next()
                finish = time.perf_counter()
                if begin <= finish < end:
                    outcome.latencies_ms.append((finish - start) * 1000)

        threads = [threading.Thread(target=keep_busy) for _ in range(self._count)]
        for thread in threads:
            thread.start()
        time.sleep(max(0, begin - time.perf_counter()))
        cpu_before = time.process_time()
        time.sleep(max(0, end - time.perf_counter()))
        outcome.server_cpu_s = time.process_time() - cpu_before
        for thread in threads:
            thread.join()
        return outcome

    def _colorize_next(self) -> None:
        colorize(next(self._upcoming), self._colorizer, self._limits)


def main() -> None:
    """Run as told on the command line, and print the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--warm-up", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--on-demand", action="store_true")
    options = parser.parse_args()
    threads = Threads([path.read_bytes() for path in options.pictures])
    for _ in sys.stdin if options.on_demand else range(1):
        outcome = threads.run(options.warm_up, options.seconds)
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
