"""The command line: what it makes, says, leaves behind, and answers to the shell."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import multiprocessing
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
from fastapi import FastAPI
from PIL import Image
from typer.testing import CliRunner, Result

from service import __version__, cli
from service.app import create_app
from service.bulk import crew, local, remote
from service.bulk.engine import Answer
from service.cli import app
from service.settings import Settings
from tests.conftest import TestClient
from tests.deploy.files import foreign_tool
from tests.service.conftest import serving
from tests.service.processes import ROOT, large_picture

Encode = Callable[..., bytes]
Colorize = Callable[..., Result]

DOCUMENT = (ROOT / "docs" / "cli.md").read_text()
EXAMPLES = [
    line.partition("  #")[0].strip()
    for code in re.findall(r"^```bash\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    for line in code.splitlines()
]
ENDLESS_OR_PERSONAL = ("colorize serve", "colorize --install-completion")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def colorize(steerable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Colorize:
    """Run the command in this process, with the models of the tests."""
    monkeypatch.setenv("COLORIZE_MODELS_DIR", str(steerable_dir))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)

    return run


@contextlib.contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Serve one and the same answer, at a URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def grey_jpeg(grey_gradient: Image.Image, encode: Encode) -> bytes:
    return encode(grey_gradient, "JPEG")


@pytest.fixture(scope="session")
def colourful(encode: Encode) -> bytes:
    """A colour picture, small enough for the service of the tests."""
    return encode(Image.open(ROOT / "samples" / "fluid-1.jpg").resize((96, 96)), "PNG")


@pytest.fixture
def tree(tmp_path: Path, grey_jpeg: bytes, grey_gradient: Image.Image) -> Path:
    """A folder with pictures at two depths, and what is none."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(grey_jpeg)
    grey_gradient.save(folder / "below" / "b.PNG")
    (folder / "notes.txt").write_text("words")
    (folder / ".hidden.jpg").write_bytes(grey_jpeg)
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_picture_is_coloured_beside_itself_as_the_service_does_it(
    colorize: Colorize, tree: Path, steerable_client: TestClient
) -> None:
    result = colorize(tree / "a.jpg")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{tree}/a.jpg -> {tree}/a-v12.jpg\n"
    served = steerable_client.post("/colorize", files={"file": (tree / "a.jpg").read_bytes()})
    assert (tree / "a-v12.jpg").read_bytes() == served.content


def test_options_are_those_of_the_service(
    colorize: Colorize, tree: Path, steerable_client: TestClient, grey_jpeg: bytes
) -> None:
    hints = [{"x": 0.2, "y": 0.5, "color": "red"}, {"x": 1, "y": 0, "color": "#00f"}]
    (tree / "hints.json").write_text(json.dumps(hints[1:]))

    result = colorize(
        *(tree / "a.jpg", "-o", tree / "out.webp", "-m", "v2", "--palette", "navy,ff6347"),
        *("--hint", "0.2,0.5,red", "--hints", tree / "hints.json", "--quality", "55"),
        *("--saturation", "1.5", "--brightness", "0.8", "--contrast", "1.2", "--tone", "-0.5"),
    )

    served = steerable_client.post(
        "/colorize",
        params={
            **{"model": "v2", "palette": "navy,ff6347", "format": "webp", "quality": 55},
            **{"saturation": 1.5, "brightness": 0.8, "contrast": 1.2, "tone": -0.5},
        },
        files={"file": grey_jpeg},
        data={"hints": json.dumps([hints[1], hints[0]])},
    )
    assert result.exit_code == 0, result.stderr
    assert (tree / "out.webp").read_bytes() == served.content


def test_reference_gives_its_colours(
    colorize: Colorize,
    tree: Path,
    steerable_client: TestClient,
    grey_jpeg: bytes,
    colourful: bytes,
) -> None:
    (tree / "reference").write_bytes(colourful)

    colorize(tree / "a.jpg", "--reference", tree / "reference", "-o", tree / "out.jpg")

    served = steerable_client.post("/colorize", files={"file": grey_jpeg, "reference": colourful})
    assert (tree / "out.jpg").read_bytes() == served.content


def test_every_query_parameter_has_an_option_of_the_same_range(app: FastAPI) -> None:
    def parse(*arguments: str) -> dict[str, Any]:
        params: dict[str, Any] = COMMANDS["color"].make_context("color", ["x", *arguments]).params
        return params

    for parameter in app.openapi()["paths"]["/colorize"]["post"]["parameters"]:
        name, schema = parameter["name"], parameter["schema"]
        key = "format_name" if name == "format" else name
        if "default" in schema and name != "model":
            assert parse()[key] == schema["default"]
        for value in schema.get("enum", ()):
            assert parse(f"--{name}={value}")[key] == value
        if "minimum" in schema:
            for value in (schema["minimum"], schema["maximum"]):
                assert parse(f"--{name}={value}")[key] == value
            for value in (schema["minimum"] - 1, schema["maximum"] + 1):
                with pytest.raises(
                    Exception, match=r"Input should be (less|greater) than or equal"
                ):
                    parse(f"--{name}={value}")


def test_folder_keeps_its_tree(colorize: Colorize, tree: Path, tmp_path: Path) -> None:
    result = colorize(tree, "-o", tmp_path / "out")

    assert files_below(tmp_path / "out") == ["a-v12.jpg", "below/b-v12.png"]
    assert re.fullmatch(r"2 coloured in \d+\.\d s \(\d+\.\d a second\)\n", result.stderr)


@pytest.mark.skipif(not crew.CAN_COPY, reason="no processes that begin as copies")
def test_many_pictures_are_coloured_by_processes_as_by_threads(
    colorize: Colorize, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "broken.jpg").write_bytes(b"words")
    colorize(tree, "-o", tmp_path / "threads")
    crews: list[tuple[int, int]] = []

    class Watched(crew.Crew):
        def color(self, data: bytes) -> list[Answer]:
            crews.append((len(data), len(multiprocessing.active_children())))
            return super().color(data)

    monkeypatch.setattr(local, "Crew", Watched)
    monkeypatch.setattr(local, "PICTURES_WORTH_A_PROCESS", 1)

    result = colorize(tree, "-o", tmp_path / "processes", "--jobs", "2")

    assert [members for _, members in crews] == [2, 2, 2]
    assert multiprocessing.active_children() == []
    assert result.exit_code == cli.SOME_FAILED
    assert f"failed {tree}/broken.jpg: A picture must be one of JPEG, PNG," in result.stderr
    for name in files_below(tmp_path / "threads"):
        by_threads, by_processes = (
            (tmp_path / kind / name).read_bytes() for kind in ("threads", "processes")
        )
        assert by_processes == by_threads


def test_pipe_in_a_folder_is_not_waited_for(colorize: Colorize, tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe.jpg")
    (tree / "nowhere.jpg").symlink_to("absent.jpg")

    result = colorize(tree, "-o", tmp_path / "out")

    assert f"failed {tree}/nowhere.jpg: No such file or directory" in result.stderr
    assert files_below(tmp_path / "out") == ["a-v12.jpg", "below/b-v12.png"]


def test_pattern_keeps_the_tree_below_its_fixed_part(
    colorize: Colorize, tree: Path, tmp_path: Path
) -> None:
    colorize(f"{tree}/**/*.[pP][nN][gG]", "-o", tmp_path / "out")

    assert files_below(tmp_path / "out") == ["below/b-v12.png"]


def test_second_run_goes_on(colorize: Colorize, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    colorize(tree, "-o", out)
    first = (out / "a-v12.jpg").stat()
    (out / "below" / "b-v12.png").unlink()

    result = colorize(tree, "-o", out)

    assert "1 coloured, 1 there already in" in result.stderr
    assert (out / "a-v12.jpg").stat().st_ino == first.st_ino
    assert (out / "below" / "b-v12.png").exists()


def test_second_run_colours_what_changed_or_is_forced(
    colorize: Colorize, tree: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    colorize(tree, "-o", out)
    later = (out / "a-v12.jpg").stat().st_mtime + 10
    os.utime(tree / "a.jpg", (later, later))

    assert "1 coloured, 1 there already in" in colorize(tree, "-o", out).stderr
    assert "2 coloured in" in colorize(tree, "-o", out, "--force").stderr


def test_answers_of_earlier_runs_are_no_pictures(colorize: Colorize, tree: Path) -> None:
    for _ in range(2):
        colorize(tree)
        colorize(tree, "-o", tree / "out")
        colorize(tree, "--variations", "2", "-m", "v2")
        colorize(tree, "--compare")

    assert files_below(tree) == [
        ".hidden.jpg",
        *("a-compare.png", "a-v12.jpg", "a-v2-0.jpg", "a-v2-1.jpg", "a.jpg"),
        *("below/b-compare.png", "below/b-v12.png", "below/b-v2-0.png", "below/b-v2-1.png"),
        *("below/b.PNG", "notes.txt", "out/a-v12.jpg", "out/below/b-v12.png"),
    ]


def test_answers_of_odd_names_are_no_pictures(colorize: Colorize, tree: Path) -> None:
    (tree / "a.jpg").rename(tree / "a\nb.jpg")
    (tree / "below" / "b.PNG").rename(tree / "below" / os.fsdecode(b"\xff.png"))
    for _ in range(2):
        colorize(tree)

    assert files_below(tree) == [
        *(".hidden.jpg", "a\nb-v12.jpg", "a\nb.jpg", "below/\udcff-v12.png", "below/\udcff.png"),
        "notes.txt",
    ]


def test_answer_that_is_there_already_is_said(colorize: Colorize, tree: Path) -> None:
    colorize(tree / "a.jpg")

    result = colorize(tree / "a.jpg")

    assert result.exit_code == 0
    assert result.stderr == f"{tree}/a-v12.jpg is there already; --force colours anew\n"


def test_pictures_that_differ_in_their_extension_keep_it(
    colorize: Colorize, tree: Path, tmp_path: Path, grey_gradient: Image.Image
) -> None:
    grey_gradient.save(tree / "a.png")

    colorize(tree, "-o", tmp_path / "out", "--format", "png")

    assert files_below(tmp_path / "out") == [*("a.jpg-v12.png", "a.png-v12.png", "below/b-v12.png")]


def test_pictures_whose_answers_would_be_the_same_are_refused(
    colorize: Colorize, tree: Path, tmp_path: Path, grey_jpeg: bytes
) -> None:
    (tree / "below" / "a.jpg").write_bytes(grey_jpeg)

    result = colorize(tree / "a.jpg", tree / "below" / "a.jpg", "-o", tmp_path / "out")

    assert result.exit_code == cli.NOT_POSSIBLE
    assert result.stderr == (
        f"error: {tree}/a.jpg and {tree}/below/a.jpg would have answers of the same name in "
        f"{tmp_path}/out: name the folder that both are in, to keep its tree, or colour them one "
        "by one\n"
    )
    assert not (tmp_path / "out").exists()


def test_variations_are_numbered(
    colorize: Colorize, tree: Path, tmp_path: Path, steerable_client: TestClient, grey_jpeg: bytes
) -> None:
    out = tmp_path / "out"
    colorize(tree / "a.jpg", "-o", out, "--variations", "2", "--variation", "1")

    assert files_below(out) == ["a-v12-1.jpg", "a-v12-2.jpg"]
    for number in (1, 2):
        served = steerable_client.post(f"/colorize?variation={number}", files={"file": grey_jpeg})
        assert (out / f"a-v12-{number}.jpg").read_bytes() == served.content


@pytest.mark.parametrize(
    ("options", "name", "route"),
    [
        (
            ["--variations", "3", "--sheet"],
            "a-v12-variations.png",
            "variations?n=3&sheet=true",
        ),
        (["--compare", "--model", "v2,v1"], "a-compare.png", "compare?models=v2,v1"),
    ],
)
def test_sheets_are_those_of_the_service(
    options: list[str],
    name: str,
    route: str,
    colorize: Colorize,
    tree: Path,
    steerable_client: TestClient,
    grey_jpeg: bytes,
) -> None:
    result = colorize(tree / "a.jpg", *options)

    assert result.exit_code == 0, result.stderr
    served = steerable_client.post(f"/colorize/{route}", files={"file": grey_jpeg})
    assert (tree / name).read_bytes() == served.content


def test_standard_input_goes_to_standard_output(
    colorize: Colorize, grey_jpeg: bytes, steerable_client: TestClient
) -> None:
    result = colorize("-", stdin=grey_jpeg)

    served = steerable_client.post("/colorize", files={"file": grey_jpeg})
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == served.content


def test_file_goes_to_standard_output(colorize: Colorize, tree: Path) -> None:
    result = colorize(tree / "a.jpg", "-o", "-", "--format", "png")

    assert Image.open(io.BytesIO(result.stdout_bytes)).format == "PNG"
    assert not (tree / "a-v12.png").exists()


def test_failures_are_told_and_do_not_stop_the_others(
    colorize: Colorize, tree: Path, tmp_path: Path
) -> None:
    (tree / "broken.jpg").write_bytes(b"words")

    result = colorize(tree, tree / "absent.jpg", "-o", tmp_path / "out")

    assert result.exit_code == cli.SOME_FAILED
    assert f"failed {tree}/broken.jpg: A picture must be one of JPEG, PNG," in result.stderr
    assert f"failed {tree}/absent.jpg: No such file or directory" in result.stderr
    assert "2 coloured, 2 failed in" in result.stderr
    assert files_below(tmp_path / "out") == ["a-v12.jpg", "below/b-v12.png"]


def test_file_that_cannot_be_read_is_named_once(colorize: Colorize, tmp_path: Path) -> None:
    result = colorize(tmp_path / "absent.jpg")

    assert result.exit_code == cli.SOME_FAILED
    assert result.stderr == f"failed {tmp_path}/absent.jpg: No such file or directory\n"


def test_names_do_nothing_to_the_terminal(colorize: Colorize, tmp_path: Path) -> None:
    for name in (b"a\x1b[2J.jpg", b"b\nc.jpg", b"d\xff.jpg", "\u00e9\u202e.jpg".encode()):
        (tmp_path / os.fsdecode(name)).write_text("words")

    result = colorize(tmp_path)

    told = re.findall(rf"^failed {tmp_path}/(.+): A picture must", result.stderr, re.MULTILINE)
    assert sorted(told) == ["a\\x1b[2J.jpg", "b\\nc.jpg", "d\\udcff.jpg", "é\\u202e.jpg"]


def test_json_has_a_line_for_each_picture_and_a_summary(
    colorize: Colorize, tree: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    colorize(tree / "below", "-o", out / "below")
    (tree / "broken.jpg").write_bytes(b"")

    *documents, last = lines(colorize(tree, "-o", out, "--json"))

    by_picture = {document.pop("picture"): document for document in documents}
    assert by_picture[f"{tree}/a.jpg"].pop("elapsed_s") > 0
    assert by_picture == {
        f"{tree}/a.jpg": {
            "status": "colored",
            "files": [f"{out}/a-v12.jpg"],
            "palettes": [["#432646", "#dfbbe3"]],
        },
        f"{tree}/below/b.PNG": {"status": "skipped", "files": [f"{out}/below/b-v12.png"]},
        f"{tree}/broken.jpg": {
            "status": "failed",
            "problem": {
                "type": "/problems/empty-upload",
                "title": "Empty upload",
                "status": 422,
                "detail": "A picture must have bytes. Received: 0 bytes",
                "received": 0,
            },
        },
    }
    assert last["summary"].pop("elapsed_s") > 0
    assert last["summary"] == {
        **{"colored": 1, "skipped": 1, "failed": 1, "untried": 0, "interrupted": False}
    }


def test_full_disk_ends_the_run(
    colorize: Colorize, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.bulk.run.write_whole", fail)
    for index in range(8):
        (tree / f"more-{index}.jpg").write_bytes((tree / "a.jpg").read_bytes())

    result = colorize(tree, "-o", tmp_path / "out", "--jobs", "1", "--json")

    summary = lines(result)[-1]["summary"]
    assert (result.exit_code, summary["failed"], summary["untried"]) == (1, 1, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "v9"], "`model` must be one of plain, v1, v2, v12. Received: v9"),
        (["--model", "plain", "--palette", "red"], "`palette` needs a model that takes it"),
        (["--palette", "red,nored"], "`palette`: 1 to 8 colours, comma separated, each hex,"),
        (["--hint", "2,0,red"], "`hints.0.x`: a number from 0 to 1"),
        (["--hint", "left"], "X,Y,COLOR, such as 0.25,0.5,ff8800. Received: left"),
        (["--saturation", "3"], "Input should be less than or equal to 2"),
        (["--compare", "--sheet"], "not with --variations and --sheet"),
        (["--model", "v1,v2"], "several are compared, with --compare"),
        (["--variations", "2", "-o", "-"], "takes one answer. Received: 2 to be made"),
        (["-o", "-", "--json"], "not when the picture goes to standard output"),
        (["-o", "answer.gif"], "answer.gif: answers are png, jpeg, webp, avif, tiff, bmp."),
        (["--models", "absent"], "absent: no *.onnx file in this folder"),
        (["--server", "http://127.0.0.1:1"], "No answer: "),
    ],
)
def test_what_cannot_be_begun_is_refused(
    arguments: list[str], message: str, colorize: Colorize, tree: Path
) -> None:
    result = colorize(tree / "a.jpg", *arguments)

    assert result.exit_code == cli.NOT_POSSIBLE
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
    assert result.stdout == ""
    assert files_below(tree) == [".hidden.jpg", "a.jpg", "below/b.PNG", "notes.txt"]


def test_folder_without_pictures_is_refused(colorize: Colorize, tmp_path: Path) -> None:
    result = colorize(tmp_path, tmp_path / "*.jpg")

    assert result.exit_code == cli.NOT_POSSIBLE
    assert result.stderr == f"error: no pictures in {tmp_path}, {tmp_path}/*.jpg\n"


def test_picture_is_not_written_to_a_terminal(tree: Path, steerable_dir: Path) -> None:
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "service.cli", str(tree / "a.jpg"), "-o", "-"]
    environment = {**os.environ, "COLORIZE_MODELS_DIR": str(steerable_dir)}

    finished = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=terminal, stderr=subprocess.PIPE, check=False
    )

    os.close(terminal)
    os.close(controller)
    assert finished.returncode == cli.NOT_POSSIBLE
    assert b"standard output is a terminal" in finished.stderr


def test_server_colours_the_same(
    colorize: Colorize, tree: Path, tmp_path: Path, server_url: str
) -> None:
    for options in (
        [],
        ["--palette", "red,teal", "--variations", "2"],
        ["--sheet"],
        ["--compare"],
        ["--hint", "0,0,red"],
    ):
        here, there = tmp_path / "here", tmp_path / "there"
        for arguments in ((tree, "-o", here), (tree, "-o", there, "--server", server_url)):
            result = colorize(*arguments, "--force", *options)
            assert result.exit_code == 0, result.stderr
        assert files_below(here) == files_below(there)
        for name in files_below(here):
            assert (here / name).read_bytes() == (there / name).read_bytes(), name


def test_server_tells_its_problems(colorize: Colorize, tree: Path, server_url: str) -> None:
    (tree / "broken.jpg").write_bytes(b"words")

    result = colorize(tree / "broken.jpg", "--server", server_url, "--json")

    assert result.exit_code == cli.SOME_FAILED
    assert lines(result)[0]["problem"]["type"] == "/problems/unsupported-format"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<html>", "What answers at {url} is no service of this kind"),
        (200, b'["v12"]', "What answers at {url} is no service of this kind"),
        (503, b"", "503 Service Unavailable"),
        (502, b"<html>\x1b", "502 Bad Gateway: <html>\\x1b"),
    ],
)
def test_server_that_is_something_else_is_told(
    colorize: Colorize, tree: Path, status: int, body: bytes, told: str
) -> None:
    with answering(status, body) as url:
        result = colorize(tree / "a.jpg", "--server", url)

    assert result.exit_code == cli.NOT_POSSIBLE
    assert result.stderr == f"error: {told.format(url=url)}\n"


def test_server_that_never_answers_is_told(
    colorize: Colorize, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "NOTICE_AFTER_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        results = [
            colorize(*arguments, "--server", url, "--timeout", "0.2")
            for arguments in ((tree / "a.jpg",), ("models",), ("palette", tree / "a.jpg"))
        ]

    for result in results:
        assert result.exit_code == cli.NOT_POSSIBLE
        assert result.stderr == (
            f"{url} has not answered yet; it is waited for up to 0.2 s\n"
            "error: No answer in 0.2 s: with --timeout it is waited for longer\n"
        )


def test_server_that_is_gone_ends_the_run(
    colorize: Colorize,
    tree: Path,
    tmp_path: Path,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    monkeypatch.setattr("service.bulk.remote.time.sleep", lambda _: None)
    monkeypatch.setattr("service.client.Client.colorize", refuse)

    result = colorize(tree, "-o", tmp_path / "out", "--server", server_url, "--jobs", "1", "--json")

    *_, last = lines(result)
    assert (last["summary"]["failed"], last["summary"]["untried"]) == (1, 1)
    reason = "cannot be reached: [Errno 111] Connection refused"
    assert result.stderr.splitlines()[0] == (f"{server_url} {reason}; it is asked again in 0.5 s")


def test_server_is_shown_the_key_of_the_environment(
    colorize: Colorize, tree: Path, steerable_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(models_dir=steerable_settings.models_dir, api_keys="open-sesame")
    with serving(create_app(settings)) as url:
        refused = colorize(tree / "a.jpg", "--server", url)
        monkeypatch.setenv(cli.KEY_VARIABLE, "open-sesame")
        accepted = colorize(tree / "a.jpg", "--server", url)

    assert (refused.exit_code, accepted.exit_code) == (cli.NOT_POSSIBLE, 0)
    assert "error: A request must have one of the keys of this service" in refused.stderr


def test_models_are_listed(colorize: Colorize, server_url: str) -> None:
    table = [line.split()[0] for line in colorize("models").stdout.splitlines()]
    cards = json.loads(colorize("models", "--json").stdout)
    served = json.loads(colorize("models", "--json", "--server", server_url).stdout)

    assert table == ["model", "plain", "v1", "v2", "v12"]
    assert [card["name"] for card in cards] == table[1:]
    assert served == cards


def test_palette_is_that_of_the_service(
    colorize: Colorize,
    steerable_client: TestClient,
    server_url: str,
    tmp_path: Path,
    colourful: bytes,
) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(colourful)
    served = steerable_client.post("/palette?colors=3", files={"file": colourful})
    plain = colorize("palette", picture, "--colors", "3").stdout.splitlines()

    assert [line.split()[0] for line in plain] == [c["hex"] for c in served.json()["colors"]]
    for options in ([], ["--server", server_url]):
        result = colorize("palette", picture, "--colors", "3", "--json", *options)
        assert json.loads(result.stdout) == served.json()


def test_palette_of_no_picture_is_refused(colorize: Colorize) -> None:
    result = colorize("palette", "-", stdin=b"words")

    assert result.exit_code == cli.NOT_POSSIBLE
    assert result.stderr.startswith("error: A picture must be one of JPEG, PNG,")


def test_serve_passes_its_options_on(
    colorize: Colorize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[dict[str, object]] = []
    monkeypatch.setattr("service.__main__.main", lambda **options: calls.append(options))

    colorize("serve")
    colorize("serve", "--host", "0.0.0.0", "--port", "9", "--models", tmp_path)

    assert calls == [{}, {"host": "0.0.0.0", "port": 9, "models_dir": tmp_path}]


def test_version_and_help_are_there(colorize: Colorize) -> None:
    assert colorize("--version").stdout == f"colorize {__version__}\n"
    helps = [colorize(*arguments) for arguments in ([], ["--help"], ["-h"], ["color", "--help"])]
    assert {result.exit_code for result in helps} == {0}
    assert len({result.stdout for result in helps}) == 1
    assert "colorize photo.jpg --palette navy,ff6347" in helps[0].stdout
    assert "Other commands: colorize serve, models, palette" in helps[0].stdout


def test_first_word_is_a_command_or_a_picture(
    colorize: Colorize, tree: Path, monkeypatch: pytest.MonkeyPatch, grey_jpeg: bytes
) -> None:
    monkeypatch.chdir(tree)
    (tree / "models").write_bytes(grey_jpeg)

    assert colorize("models").stdout.startswith(" model")
    assert colorize("./models").stderr == "models -> models-v12.jpg\n"
    assert colorize("--quiet", "a.jpg").stderr == ""
    assert (tree / "a-v12.jpg").exists()


Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(tree: Path, steerable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Ask as bash does, in a folder with pictures."""
    monkeypatch.chdir(tree)
    monkeypatch.setenv("COLORIZE_MODELS_DIR", str(steerable_dir))
    monkeypatch.setenv("_COLORIZE_COMPLETE", "complete_bash")

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return CliRunner().invoke(app, prog_name=cli.PROGRAM).stdout.strip().splitlines()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("pal", ["palette"]),
        ("photo.jpg --pal", ["--palette"]),
        # Of the command that is meant when none is named.
        ("--pal", ["--palette"]),
        ("photo.jpg --model v1", ["v1", "v12"]),
        ("photo.jpg --compare --model v2,v1", ["v2,v1", "v2,v12"]),
        ("--palette navy:2,darkb", ["navy:2,darkblue"]),
        ("photo.jpg --format we", ["webp"]),
        # Where nothing is offered, shells offer files by themselves.
        ("bel", []),
        ("photo.jpg bel", []),
        ("", ["color", "serve", "models", "palette", "completion", "a.jpg", "below/", "notes.txt"]),
        ("completion zs", ["zsh"]),
    ],
)
def test_completion_offers_what_may_follow(
    line: str, offered: list[str], complete: Complete
) -> None:
    assert complete(f"colorize {line}") == offered


def test_completion_offers_pictures_beside_commands(complete: Complete, tree: Path) -> None:
    (tree / "sea.jpg").touch()

    assert complete("colorize se") == ["serve", "sea.jpg"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_any_shell(shell: str, colorize: Colorize) -> None:
    script = colorize("completion", shell).stdout

    assert f"_COLORIZE_COMPLETE=complete_{shell}" in script
    assert colorize("--show-completion", shell).stdout == script
    result = subprocess.run(
        [foreign_tool(shell), "-n"], input=script, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, service.cli\n"
        "heavy = {'numpy', 'onnxruntime', 'PIL', 'fastapi', 'httpx'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_colouring_loads_no_framework(tree: Path, steerable_dir: Path) -> None:
    program = (
        "import atexit, sys\n"
        "from service.cli import app\n"
        "atexit.register(lambda: print(sorted({'fastapi', 'starlette'} & set(sys.modules))))\n"
        "app()"
    )
    arguments = [tree / "a.jpg", "--models", steerable_dir, "--quiet"]
    run = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )

    assert run.stdout == b"[]\n"
    assert (tree / "a-v12.jpg").exists()


@contextlib.contextmanager
def running(steerable_dir: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "service.cli", *map(str, arguments)]
    environment = {**os.environ, "COLORIZE_MODELS_DIR": str(steerable_dir)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Pictures that take a while, and make answers of several megabytes."""
    folder = tmp_path / "many"
    folder.mkdir()
    picture = large_picture(1200)
    for index in range(10):
        (folder / f"{index}.png").write_bytes(picture)
    return folder


def test_killed_run_leaves_whole_answers_and_is_resumed(
    many: Path, tmp_path: Path, steerable_dir: Path, colorize: Colorize
) -> None:
    out = tmp_path / "out"
    with running(steerable_dir, many, "-o", out, "--json", "--format", "bmp") as process:
        assert process.stdout is not None
        for _ in range(2):
            assert json.loads(process.stdout.readline())["status"] == "colored"
        process.send_signal(signal.SIGKILL)
        process.wait()
        told = process.stdout.read().count(b"\n") + 2

    answers = [path for path in out.rglob("*") if path.is_file()]
    assert told <= len(answers) < 10
    for path in answers:
        with Image.open(path) as image:
            image.load()

    result = colorize(many, "-o", out, "--json", "--format", "bmp")

    summary = lines(result)[-1]["summary"]
    assert (summary["colored"], summary["skipped"]) == (10 - len(answers), len(answers))
    assert files_below(out) == [f"{index}-v12.bmp" for index in range(10)]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Started in the background, a shell's children ignore Ctrl-C, and theirs do too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_run_ends_soon_and_says_so(
    many: Path, tmp_path: Path, steerable_dir: Path
) -> None:
    out = tmp_path / "out"
    with running(steerable_dir, many, "-o", out, "--json", "--jobs", "1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)

    summary = json.loads(stdout.splitlines()[-1])["summary"]
    assert process.returncode == cli.INTERRUPTED
    assert summary["interrupted"]
    assert summary["untried"] > 0
    assert stderr.endswith(b"Interrupted. The same command goes on where it was.\n")
    assert b"Traceback" not in stderr


@pytest.mark.parametrize(
    "line", [line for line in EXAMPLES if not line.startswith(ENDLESS_OR_PERSONAL)]
)
def test_examples_of_the_document_work(
    line: str, checkout: Path, colorize: Colorize, server_url: str
) -> None:
    command, _, target = line.replace("http://localhost:8000", server_url).partition(" > ")
    command, _, source = command.partition(" < ")
    name, *arguments = shlex.split(command)

    assert name == "colorize"
    # `samples` is a link, and answers beside pictures would be written through it.
    if line == EXAMPLES[0]:
        arguments += ["-o", "."]
    result = colorize(*arguments, stdin=Path(source).read_bytes() if source else None)

    assert result.exit_code == 0, result.stderr
    if target:
        assert Image.open(io.BytesIO(result.stdout_bytes)).format == "JPEG"
    if "-o" in arguments:
        assert Path(arguments[arguments.index("-o") + 1]).exists()


def test_examples_that_are_not_run_exist() -> None:
    not_run = [line for line in EXAMPLES if line.startswith(ENDLESS_OR_PERSONAL)]

    assert len(not_run) == len(ENDLESS_OR_PERSONAL)
    COMMANDS["serve"].make_context("serve", ["--port", "9000"])


def test_document_has_every_option() -> None:
    for option in COMMANDS["color"].params:
        for name in option.opts:
            assert name == "pictures" or f"`{name}`" in DOCUMENT, name


def test_document_has_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", DOCUMENT, flags=re.MULTILINE)

    assert codes == [str(code) for code in (0, cli.SOME_FAILED, cli.NOT_POSSIBLE, cli.INTERRUPTED)]
