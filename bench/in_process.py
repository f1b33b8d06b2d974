"""The 100 % line: threads that call the pipeline, with no server in between.

Run as `python -m bench.in_process`; prints the same JSON as `bench.load`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import threading
import time
from dataclasses import asdict
from pathlib import Path

from bench.load import Outcome
from service.colorizer import Registry
from service.images import Limits
from service.pipeline import colorize
from service.settings import Settings


def run(pictures: list[bytes], warm_up_s: float, seconds: float) -> Outcome:
    """Colour pictures on as many threads as the service has slots.

    Parameters
    ----------
    pictures : list of bytes
        Taken in turn.
    warm_up_s, seconds : float
        Not measured; measured.

    Returns
    -------
    outcome : Outcome
    """
    settings = Settings()
    registry = Registry.load(settings.models_dir, settings.intra_op_threads)
    colorizer = registry.get(settings.default_model)
    limits = Limits(max_pixels=settings.max_picture_pixels)
    outcome = Outcome(seconds=seconds)
    upcoming = itertools.cycle(pictures)
    begin = time.perf_counter() + warm_up_s
    end = begin + seconds

    def keep_busy() -> None:
        while True:
            start = time.perf_counter()
            if start >= end:
                break
            colorize(next(upcoming), colorizer, limits)
            finish = time.perf_counter()
            if begin <= finish < end:
                outcome.latencies_ms.append((finish - start) * 1000)

    threads = [threading.Thread(target=keep_busy) for _ in range(settings.working_slots)]
    for thread in threads:
        thread.start()
    time.sleep(max(0, begin - time.perf_counter()))
    cpu_before = time.process_time()
    time.sleep(max(0, end - time.perf_counter()))
    outcome.server_cpu_s = time.process_time() - cpu_before
    for thread in threads:
        thread.join()
    return outcome


def main() -> None:
    """Run as told on the command line, and print the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--warm-up", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    pictures = [path.read_bytes() for path in options.pictures]
    print(json.dumps(asdict(run(pictures, options.warm_up, options.seconds))))


if __name__ == "__main__":
    main()
