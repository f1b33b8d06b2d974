"""`colorize --engine ray`: what it refuses at once, and, with a cluster, what survives what."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from service import cli
from service.bulk import spread
from service.bulk.listing import list_pages
from service.bulk.manifest import FOLDER, Known
from service.bulk.worker import Finished, Job, Worker
from tests.service.bulk.ray_run import DEADLY
from tests.service.processes import ROOT

Colorize = Callable[..., Result]
on_ray = pytest.mark.ray

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    # Of no other machine, and for minutes only.
    "RAY_AUTH_MODE": "disabled",
}


@pytest.fixture
def colorize(steerable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Colorize:
    """Run the command in this process, with the models of the tests."""
    monkeypatch.setenv("COLORIZE_MODELS_DIR", str(steerable_dir))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one worker in this process be the cluster."""

    def stream(job: Job, known: Known, _: int | None) -> Iterator[Finished]:
        worker = Worker(job, is_second=False)
        for page in list_pages(job.plan, known):
            yield from worker.color(page)

    monkeypatch.setattr(spread, "joined", contextlib.nullcontext)
    monkeypatch.setattr(spread, "stream", stream)


@pytest.fixture
def pictures(tmp_path: Path, grey_gradient: Image.Image) -> Path:
    """A folder of pictures at two depths, one of them broken."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "b.webp", "below/c.bmp", "below/d e.PNG"):
        grey_gradient.save(folder / name)
    (folder / "below" / "broken.jpg").write_bytes(b"words")
    (folder / "notes.txt").write_text("words")
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    """All files but those of the manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and FOLDER not in path.parts
    }


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--variations", "2", "--format", "png", "--saturation", "1.4"],
        ["--compare", "-m", "v2,v1"],
        ["--palette", "navy,gold", "--hint", "0.2,0.5,red"],
    ],
    ids=["plain", "variations", "comparison", "steered"],
)
def test_orders_are_carried_out_as_by_the_local_engine(
    options: list[str], colorize: Colorize, pictures: Path, tmp_path: Path
) -> None:
    local, there = tmp_path / "local", tmp_path / "there"
    plain = colorize(pictures, "-o", local, *options)
    spread = colorize("--engine", "ray", pictures, there, *options)

    assert (plain.exit_code, spread.exit_code) == (cli.SOME_FAILED, cli.SOME_FAILED)
    assert files_below(there) == files_below(local)
    assert [line for line in spread.stderr.splitlines() if line.startswith("failed")] == [
        line for line in plain.stderr.splitlines() if line.startswith("failed")
    ]


@pytest.mark.usefixtures("in_process")
def test_reference_is_read_where_the_run_is_begun(
    colorize: Colorize, pictures: Path, tmp_path: Path
) -> None:
    reference = ["--reference", ROOT / "samples" / "fluid-1.jpg"]
    colorize(pictures, "-o", tmp_path / "local", *reference)
    colorize("--engine", "ray", pictures, "-o", tmp_path / "there", *reference)

    assert files_below(tmp_path / "there") == files_below(tmp_path / "local")


@pytest.mark.usefixtures("in_process")
def test_answers_lie_beside_pictures_by_default(colorize: Colorize, pictures: Path) -> None:
    first = colorize("--engine", "ray", pictures)
    names = set(files_below(pictures))

    second = colorize("--engine", "ray", pictures)

    assert "5 coloured, 1 failed in" in first.stderr
    assert "5 there already, 1 failed in" in second.stderr
    assert set(files_below(pictures)) == names
    assert {"a.jpg-v12.jpg", "a.png-v12.png", "below/d e-v12.png"} < names


@pytest.mark.usefixtures("in_process")
def test_other_order_is_refused(colorize: Colorize, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    colorize("--engine", "ray", pictures, out)
    before = files_below(out)

    refused = colorize("--engine", "ray", pictures, out, "--quality", "50")

    assert refused.exit_code == cli.NOT_POSSIBLE
    assert refused.stderr == (
        f"error: {out} has answers to another order (quality was 90, is 50): name another folder, "
        "or colour all of it anew, with --force\n"
    )
    assert files_below(out) == before
    forced = colorize("--engine", "ray", pictures, out, "--quality", "50", "--force")
    assert "5 coloured, 1 failed in" in forced.stderr


@pytest.mark.usefixtures("in_process")
def test_engine_that_is_lost_on_the_way_is_told_with_what_it_did(
    colorize: Colorize, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = spread.stream

    def broken(*arguments: Any) -> Iterator[Finished]:
        yield next(iter(whole(*arguments)))
        raise spread.fault("Ray cannot go on", RuntimeError("trace\nthe cluster is gone"))

    monkeypatch.setattr(spread, "stream", broken)
    result = colorize("--engine", "ray", pictures, tmp_path / "out", "--json")

    assert result.exit_code == cli.SOME_FAILED
    assert result.stderr.splitlines()[-1] == "error: Ray cannot go on: the cluster is gone"
    assert json.loads(result.stdout.splitlines()[-1])["summary"]["colored"] == 1
    monkeypatch.setattr(spread, "stream", whole)
    again = colorize("--engine", "ray", pictures, tmp_path / "out")
    # The page of two was done, though only one was told.
    assert "3 coloured, 2 there already, 1 failed" in again.stderr


@pytest.mark.parametrize("library", ["ray", "pyarrow", "fsspec"])
def test_missing_library_is_told_before_anything_is_done(
    library: str,
    colorize: Colorize,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    result = colorize("--engine", "ray", pictures, tmp_path / "out", "--models", "absent")

    assert result.exit_code == cli.NOT_POSSIBLE
    assert result.stderr == (
        "error: --engine ray needs the extra `ray`: pip install 'colorization-autoencoder[ray]'\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "out", "third"], "one of answers, with --engine ray. Received: in, out, third"),
        (["in", "-o", "-"], "one of answers, with --engine ray. Received: in, -"),
        (["in", "out", "--server", "http://localhost"], "not with --engine ray"),
        (["absent", "out"], "error: No such file or directory: absent"),
        (["empty", "out"], "error: no pictures in empty"),
        (["in", "nostore://out"], "error: nostore://out: Protocol not known: nostore"),
        (["in", "out", "-m", "plain", "--palette", "red"], "`palette` needs a model that takes it"),
        (["in", "out", "-m", "v9"], "`model` must be one of plain, v1, v2, v12. Received: v9"),
    ],
)
def test_what_cannot_be_begun_is_refused(
    arguments: list[str],
    message: str,
    colorize: Colorize,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(pictures.parent)
    Path("empty").mkdir()

    result = colorize("--engine", "ray", *arguments)

    assert result.exit_code == cli.NOT_POSSIBLE
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not Path("out").exists()


@contextlib.contextmanager
def running(
    steerable_dir: Path, *arguments: str | Path, **environment: str | Path
) -> Iterator[subprocess.Popen[str]]:
    """Run the command with a cluster of its own, whose workers are fragile."""
    command = [sys.executable, "-m", "tests.service.bulk.ray_run", "--engine", "ray"]
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            **ENVIRONMENT,
            "COLORIZE_MODELS_DIR": str(steerable_dir),
            **{name: str(value) for name, value in environment.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def finish(process: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """What a run with --json told: pictures, its summary, and standard error."""
    assert process.stdout is not None
    assert process.stderr is not None
    watchdog = threading.Timer(400, process.kill)
    watchdog.start()
    # Not `communicate`: it would lose what reading a line has read ahead.
    stdout, stderr = process.stdout.read(), process.stderr.read()
    process.wait()
    watchdog.cancel()
    assert stdout.endswith("}\n"), stderr
    *documents, last = [json.loads(line) for line in stdout.splitlines()]
    return documents, last["summary"], stderr


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and that these did."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found


def workers_of(pid: int) -> list[int]:
    return [
        child
        for child in descendants(pid)
        if b"ray::MapWorker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def write_many(folder: Path, picture: Image.Image, count: int) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        picture.save(folder / f"{index:03}.png")


@on_ray
def test_cluster_answers_as_the_local_engine(
    colorize: Colorize, pictures: Path, tmp_path: Path, steerable_dir: Path
) -> None:
    local, there = tmp_path / "local", tmp_path / "there"
    colorize(pictures, "-o", local)

    with running(steerable_dir, pictures, there, "--json") as process:
        documents, summary, stderr = finish(process)

    assert process.returncode == cli.SOME_FAILED
    assert files_below(there) == files_below(local)
    (failed,) = [each for each in documents if each["status"] == "failed"]
    assert failed["picture"] == f"{pictures}/below/broken.jpg"
    assert failed["problem"]["type"] == "/problems/unsupported-format"
    assert (summary["colored"], summary["failed"], summary["untried"]) == (5, 1, 0)
    (told, counts) = stderr.splitlines()
    assert told.startswith(f"failed {pictures}/below/broken.jpg: A picture must be one of JPEG,")
    assert counts.startswith("5 coloured, 1 failed in")


@on_ray
def test_killed_workers_and_deadly_pictures_do_not_end_a_run(
    tmp_path: Path, grey_gradient: Image.Image, steerable_dir: Path
) -> None:
    write_many(tmp_path / "in", grey_gradient, 80)
    (tmp_path / "in" / "040.png").write_bytes(DEADLY)

    with running(steerable_dir, tmp_path / "in", tmp_path / "out", "--json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        victim = workers_of(process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        documents, summary, _ = finish(process)

    told = [each["picture"] for each in (first, *documents)]
    assert len(told) == len(set(told)) == 80
    (failed,) = [each for each in documents if each["status"] == "failed"]
    assert failed == {
        "picture": f"{tmp_path}/in/040.png",
        "status": "failed",
        "problem": {
            "title": "Worker lost",
            "detail": "The process that coloured it died, and so did a second one",
        },
    }
    expected = {f"{index:03}-v12.png" for index in range(80)} - {"040-v12.png"}
    assert set(files_below(tmp_path / "out")) == expected
    assert (summary["colored"], summary["failed"]) == (79, 1)


@on_ray
def test_killed_run_is_gone_on_with_in_a_store_that_has_faults(
    tmp_path: Path, grey_gradient: Image.Image, steerable_dir: Path, colorize: Colorize
) -> None:
    store = tmp_path / "store"
    write_many(store / "in", grey_gradient, 60)
    environment = {"BUCKET": store, "BUCKET_FAULTS": "1"}

    with running(steerable_dir, "s3://in", "s3://out", "--json", **environment) as process:
        assert process.stdout is not None
        for _ in range(5):
            assert json.loads(process.stdout.readline())["status"] == "colored"
        started = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline, "processes are left of a run that was killed"
        time.sleep(0.1)
    between = files_below(store / "out")
    assert 5 <= len(between) < 60
    inodes = {name: (store / "out" / name).stat().st_ino for name in between}

    with running(steerable_dir, "s3://in", "s3://out", "--json", **environment) as process:
        _, summary, stderr = finish(process)

    assert (process.returncode, stderr.count("\n")) == (0, 1), stderr
    assert (summary["colored"], summary["skipped"]) == (60 - len(between), len(between))
    colorize(store / "in", "-o", tmp_path / "local")
    assert files_below(store / "out") == files_below(tmp_path / "local")
    assert {name: (store / "out" / name).stat().st_ino for name in between} == inodes


@on_ray
def test_interrupted_run_ends_soon_and_says_so(
    tmp_path: Path, grey_gradient: Image.Image, steerable_dir: Path
) -> None:
    write_many(tmp_path / "in", grey_gradient, 200)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with running(steerable_dir, tmp_path / "in", tmp_path / "out", "--json") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, summary, stderr = finish(process)
    finally:
        signal.signal(signal.SIGINT, before)

    assert process.returncode == cli.INTERRUPTED
    assert summary["interrupted"]
    assert summary["untried"] > 0
    assert stderr.endswith("Interrupted. The same command goes on where it was.\n")
    assert "Traceback" not in stderr
    assert len(files_below(tmp_path / "out")) < 200
