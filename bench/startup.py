"""How long the server takes from its start to its first `ready`.

`python -m bench.startup` prints a table; `--imports` says which packages took how long.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from statistics import median

from bench.http import SERVICE
from bench.processes import free_port, running
from service.settings import Settings

LISTED_PACKAGES = 12


def time_start() -> float:
    """Start the server and return the seconds until it answered that it is ready."""
    port = free_port()
    environment = {name: value.format(port=port) for name, value in SERVICE.environment}
    begin = time.perf_counter()
    with running([sys.executable, *SERVICE.command], port, SERVICE.ready_path, environment):
        return time.perf_counter() - begin


def time_imports() -> dict[str, float]:
    """Sum up what importing the application takes, in milliseconds, by package."""
    command = [sys.executable, "-X", "importtime", "-c", "import service.__main__, service.app"]
    log = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True).stderr
    spent: dict[str, float] = defaultdict(float)
    for line in log.splitlines()[1:]:
        # Columns: microseconds of its own, those with what it imports, indented name.
        own_us, _, name = line.removeprefix("import time:").split("|")
        spent[name.strip().partition(".")[0]] += int(own_us) / 1000
    return spent


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--imports", action="store_true", help="by package, too")
    options = parser.parse_args()
    models = len(list(Settings().models_dir.glob("*.onnx")))
    seconds = [time_start() for _ in range(options.runs)]
    print("| start to ready | s |\n| --- | --- |")
    print(f"| median of {options.runs}, {models} models | {median(seconds):.2f} |")
    print(f"| slowest | {max(seconds):.2f} |")
    if options.imports:
        print("\n| imports | ms |\n| --- | --- |")
        spent = time_imports()
        print(f"| all | {sum(spent.values()):.0f} |")
        slowest_first = sorted(spent.items(), key=lambda item: item[1], reverse=True)
        for package, milliseconds in slowest_first[:LISTED_PACKAGES]:
            print(f"| {package} | {milliseconds:.0f} |")


if __name__ == "__main__":
    main()
