"""What the training commands say: progress bars and notes, on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")

console = Console(stderr=True, highlight=False)


def track(items: Sequence[Item], description: str) -> Iterable[Item]:
    """Iterate with a bar that shows count, time spent and time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        # Not `progress.track`: its thread and that of the display can wait for each other.
        task = progress.add_task(description, total=len(items))
        for item in items:
            yield item
            progress.advance(task)


def warn(message: str) -> None:
    """Say what was skipped or assumed."""
    console.print("warning:", style="yellow", end=" ")
    console.print(message, markup=False, soft_wrap=True)
