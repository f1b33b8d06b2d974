"""Processes that colour: what they answer, and what is left when one of them dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.bulk.crew import CAN_COPY, Crew
from service.bulk.engine import Answer, EngineError
from service.bulk.run import describe
from service.errors import EmptyUploadError, ModelFileError
from tests.service.bulk.conftest import make_mirror
from tests.service.processes import ROOT

pytestmark = pytest.mark.skipif(not CAN_COPY, reason="no processes that begin as copies")


class Puppet:
    """Does as it is told, and answers the number of its process."""

    def color(self, data: bytes) -> list[Answer]:
        if data == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        if data == b"wait":
            time.sleep(60)
        return [Answer(str(os.getpid()).encode(), "-v12", ".jpg", [])]


Recruit = Callable[[int], Crew]


@pytest.fixture
def puppets() -> Iterator[Recruit]:
    """Make crews, and see that nothing is left of them."""
    crews = []

    def make(count: int) -> Crew:
        crews.append(Crew(Puppet, count))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()
    assert multiprocessing.active_children() == []


def numbers(crew: Crew, questions: int) -> set[int]:
    """Ask in as many threads, and tell which processes answered."""
    with ThreadPoolExecutor(questions) as pool:
        return {int(answers[0].data) for answers in pool.map(crew.color, [b""] * questions)}


def test_crew_colours_in_processes_of_its_own(puppets: Recruit) -> None:
    crew = puppets(2)
    members = {child.pid for child in multiprocessing.active_children()}

    # Whoever is idle longest is asked next.
    assert {int(crew.color(b"")[0].data) for _ in range(2)} == members
    assert numbers(crew, 8) <= members
    assert os.getpid() not in members


def test_faults_of_pictures_are_told_as_in_this_process() -> None:
    crew = Crew(make_mirror, 1)

    with pytest.raises(EngineError) as refused:
        crew.color(b"")

    assert refused.value.problem == describe(EmptyUploadError())
    assert crew.color(b"12")[0].data == b"21"
    crew.close()


def test_process_that_dies_is_told_and_replaced(puppets: Recruit) -> None:
    crew = puppets(2)
    before = {child.pid for child in multiprocessing.active_children()}

    with pytest.raises(EngineError) as lost:
        crew.color(b"die")

    assert lost.value.problem == {
        "title": "Worker lost",
        "detail": "The process that coloured it died: SIGKILL",
    }
    after = {int(crew.color(b"")[0].data) for _ in range(2)}
    assert len(after) == 2
    assert len(after & before) == 1


def test_process_that_dies_idle_is_told_and_replaced(puppets: Recruit) -> None:
    crew = puppets(1)
    (member,) = multiprocessing.active_children()
    assert member.pid
    os.kill(member.pid, signal.SIGTERM)
    member.join()

    with pytest.raises(EngineError, match="died: SIGTERM"):
        crew.color(b"")
    assert crew.color(b"")


def test_crew_that_cannot_get_ready_says_why(tmp_path: Path) -> None:
    def fail() -> Puppet:
        raise ModelFileError(tmp_path, "no such model")

    with pytest.raises(EngineError, match=rf"^{tmp_path}: no such model$"):
        Crew(fail, 2)
    assert multiprocessing.active_children() == []


def test_crew_that_dies_of_getting_ready_says_so() -> None:
    with pytest.raises(EngineError, match=r"^A process died while it got ready: exit code 3$"):
        Crew(lambda: os._exit(3), 2)
    assert multiprocessing.active_children() == []


def test_close_ends_what_is_in_work(puppets: Recruit) -> None:
    crew = puppets(1)
    outcome: list[str] = []

    def ask() -> None:
        with pytest.raises(EngineError) as ended:
            crew.color(b"wait")
        outcome.append(str(ended.value))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.05)
    crew.close()
    thread.join(10)

    assert len(outcome) == 1
    with pytest.raises(EngineError, match="The run has ended"):
        crew.color(b"")


def test_interrupt_at_the_terminal_is_for_the_one_that_asks(puppets: Recruit) -> None:
    crew = puppets(1)
    (member,) = multiprocessing.active_children()
    assert member.pid

    os.kill(member.pid, signal.SIGINT)

    assert crew.color(b"")[0].data == str(member.pid).encode()


def test_crew_does_not_outlive_whoever_asks() -> None:
    program = (
        "import multiprocessing, os, signal\n"
        "from service.bulk.crew import Crew\n"
        "crew = Crew(lambda: None, 2)\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        # Its members have the same standard output: it ends with the last of them.
        members = process.stdout.read().split()

    assert len(members) == 2
