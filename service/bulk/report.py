"""What a run says: progress and summary for people, lines of JSON for programs.

Standard output has pictures or JSON, nothing else; all that is for people is on
standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from service.bulk.run import Outcome

SHOWN_FAILURES = 20
"""Told one by one; the rest are counted, and in the JSON."""


class RateColumn(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        """Show the rate of the last while; nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


class Report:
    """Counts outcomes, and tells of them as they come.

    Parameters
    ----------
    console : Console
        For people.
    as_json : bool
        Whether outcomes are printed for programs.
    is_quiet : bool
        Whether only failures are told.

    Attributes
    ----------
    failures : str
        Where all of them are told.
    """

    def __init__(
        self,
        console: Console,
        *,
        as_json: bool = False,
        is_quiet: bool = False,
    ) -> None:
        self._console = console
        self._as_json = as_json
        self._is_quiet = is_quiet
        self.failures = "--json"
        self._start = time.perf_counter()
        self.colored = 0
        self.skipped = 0
        self.failed = 0

    @property
    def tried(self) -> int:
        """How many outcomes there were."""
        return self.colored + self.skipped + self.failed

    def follow(self, outcomes: Iterable[Outcome], total: Callable[[], int | None]) -> None:
        """Tell of outcomes as they come; with a bar where there are several.

        Parameters
        ----------
        outcomes : iterable of Outcome
        total : callable
            Tells how many there will be; None while that is not known.
        """
        self._start = time.perf_counter()
        is_alone = total() == 1
        for outcome in outcomes if is_alone else self._with_bar(outcomes, total):
            self.add(outcome, is_alone=is_alone)

    def add(self, outcome: Outcome, *, is_alone: bool = False) -> None:
        """Count an outcome and tell of it."""
        source = outcome.picture
        if outcome.problem is not None:
            self.failed += 1
            if self.failed <= SHOWN_FAILURES:
                # Where the file is what cannot be read, it is not named twice.
                detail = str(outcome.problem.get("detail", "")).removesuffix(f": {source}")
                self._say(f"{source}: {detail}", "failed ", "red")
        elif outcome.is_skipped:
            self.skipped += 1
            if is_alone:
                self.note(f"{', '.join(outcome.files)} is there already; --force colours anew")
        else:
            self.colored += 1
            if is_alone and outcome.files != ["-"]:
                self.note(f"{source} -> {', '.join(outcome.files)}")
        if self._as_json:
            self._print(describe_outcome(outcome))

    def finish(self, total: int | None, *, is_interrupted: bool = False) -> None:
        """Sum up.

        Parameters
        ----------
        total : int or None
            How many pictures there were to be, if that is known.
        is_interrupted : bool
            Whether the user did not want to wait for all of them.
        """
        elapsed_s = time.perf_counter() - self._start
        untried = None if total is None else max(0, total - self.tried)
        if self._as_json:
            summary = {
                "colored": self.colored,
                "skipped": self.skipped,
                "failed": self.failed,
                "untried": untried,
                "elapsed_s": round(elapsed_s, 3),
                "interrupted": is_interrupted,
            }
            self._print({"summary": summary})
        if self.failed > SHOWN_FAILURES:
            self._say(f"{self.failed - SHOWN_FAILURES} more, see {self.failures}", "failed ", "red")
        if total != 1:
            counts = {
                "coloured": self.colored,
                "there already": self.skipped,
                "failed": self.failed,
                "not tried": untried,
            }
            text = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            rate = f" ({self.colored / elapsed_s:.1f} a second)" if self.colored else ""
            self.note(f"{text} in {elapsed_s:.1f} s{rate}")
        if is_interrupted:
            self.note("Interrupted. The same command goes on where it was.")

    def note(self, text: str) -> None:
        """Tell people what is no failure."""
        if not self._is_quiet:
            self._say(text)

    def _with_bar(
        self, outcomes: Iterable[Outcome], total: Callable[[], int | None]
    ) -> Iterator[Outcome]:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        is_hidden = self._is_quiet or not self._console.is_terminal
        with Progress(*columns, console=self._console, disable=is_hidden) as progress:
            bar = progress.add_task("", total=total())
            for outcome in outcomes:
                yield outcome
                progress.update(bar, advance=1, total=total())

    def _say(self, text: str, label: str = "", style: str = "") -> None:
        # A name may hold what looks like markup, and be longer than the line.
        self._console.print(
            Text.assemble((label, style), show(text)), soft_wrap=True, markup=False, highlight=False
        )

    def _print(self, document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


def show(text: str) -> str:
    """Write what may be in the name of a file so that it does nothing to a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Describe an outcome for programs."""
    source = outcome.picture
    if outcome.problem is not None:
        return {"picture": source, "status": "failed", "problem": outcome.problem}
    if outcome.is_skipped:
        return {"picture": source, "status": "skipped", "files": outcome.files}
    return {
        "picture": source,
        "status": "colored",
        "files": outcome.files,
        "palettes": outcome.palettes,
        "elapsed_s": round(outcome.elapsed_s, 3),
    }
