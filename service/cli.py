"""`colorize`: the command line.

Exit codes: 0 when all is done, 1 when pictures failed, 2 when nothing could be
begun as it was asked for, 130 when it was interrupted.
"""

from __future__ import annotations

import gc
import glob
import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from service import __version__
from service.parameters import (
    DEFAULT_QUALITY,
    EXTRACTED_COLORS,
    LAST_VARIATION,
    MAX_COLORS,
    MOST_VARIATIONS,
    EngineName,
    FormatName,
    MetadataName,
)

# Everything heavier is imported where it is needed: help is there at once.
if TYPE_CHECKING:
    from rich.console import Console

    from service.bulk.engine import Workshop
    from service.bulk.order import Kind, Order
    from service.bulk.report import Report
    from service.bulk.run import Outcome
    from service.bulk.tasks import Task
    from service.settings import Settings
    from service.steering import Hint

PROGRAM = "colorize"
DEFAULT_COMMAND = "color"
KEY_VARIABLE = "COLORIZE_API_KEY"

SOME_FAILED = 1
NOT_POSSIBLE = 2
INTERRUPTED = 130

ShellName = Literal["bash", "zsh", "fish", "powershell", "pwsh"]

TIMEOUT_S = 120.0
"""Of a service: more than its own, after which it answers that it was too slow."""

SHEET_COUNT = 4
"""Variations on a sheet unless the user says."""

COLOR_HELP = """
Colour black-and-white abstract pictures.

\b
colorize photo.jpg                          photo-v12.jpg, beside it
colorize photo.jpg -o colour.png            another name, another format
colorize FOLDER -o OUT                      all of a folder, its tree kept
colorize 'scans/**/*.tif' -o OUT --jobs 2   all that a pattern finds
colorize photo.jpg --palette navy,ff6347    your colours
colorize photo.jpg --reference other.jpg    those of another picture
colorize photo.jpg --hint 0.25,0.5,orange   a colour at a point
colorize photo.jpg --variations 4           the model's best four choices
colorize photo.jpg --compare                what each model makes of it
colorize - < grey.png > colour.png          from and to other programs

Pictures whose answers are there already, and newer, are left alone: what was
interrupted goes on when the same command is given again.
"""
COMMANDS_HELP = """
Other commands: [bold]colorize serve[/], [bold]models[/], [bold]palette[/]; each has its
[bold]--help[/]. A picture that is called like a command is ./models.
"""


class ColorByDefault(TyperGroup):
    """Commands, of which one is meant when none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what begins like no command for pictures, or options of colouring them."""
        if args[:1] == ["--show-completion"] and len(args) > 1:
            # By itself it is of the shell that runs.
            args = ["completion", *args[1:]]
        own_options = {name for option in self.params for name in option.opts}
        if not args and not ctx.resilient_parsing:
            args = ["--help"]
        if args and args[0] not in {*self.commands, *own_options}:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer commands, and options and pictures of the one that is meant when none is named."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            found += self.commands[DEFAULT_COMMAND].shell_complete(ctx, incomplete)
        elif found:
            # Shells offer files by themselves only where nothing else is offered.
            found += [type(found[0])(name) for name in _find_paths(incomplete)]
        return found


app = typer.Typer(
    cls=ColorByDefault,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _find_paths(beginning: str) -> list[str]:
    """List files and folders whose names begin like this."""
    found = glob.iglob(f"{glob.escape(beginning)}*")  # noqa: PTH207 - as they would be written
    return sorted(f"{path}/" if Path(path).is_dir() else path for path in found)


def _complete_model(incomplete: str) -> list[str]:
    """Offer the models of the folder that is used when none is named."""
    from service.settings import Settings

    names = (path.stem for path in Settings().models_dir.glob("*.onnx"))
    return _complete_last(incomplete, names)


def _complete_palette(incomplete: str) -> list[str]:
    """Offer the names of colours."""
    from PIL import ImageColor

    return _complete_last(incomplete, ImageColor.colormap)


def _complete_last(incomplete: str, words: Iterable[str]) -> list[str]:
    """Offer words for the last of several, comma separated."""
    before, comma, last = incomplete.rpartition(",")
    return sorted(f"{before}{comma}{word}" for word in words if word.startswith(last))


STEERING = "Colours"
OUTPUT = "Answers"
RUN = "Run"

ModelsDirOption = Annotated[
    Path | None,
    typer.Option(
        "--models",
        metavar="FOLDER",
        rich_help_panel=RUN,
        help="Folder of the models; default: COLORIZE_MODELS_DIR, or those that were shipped.",
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        rich_help_panel=RUN,
        help=f"A running service that does the work; {KEY_VARIABLE} is shown to it.",
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        min=0.1,
        metavar="SECONDS",
        rich_help_panel=RUN,
        help="How long that may say nothing before it is given up.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", rich_help_panel=RUN, help="For programs: JSON on standard output.")
]


@app.command(DEFAULT_COMMAND, help=COLOR_HELP, epilog=COMMANDS_HELP, no_args_is_help=True)
def color(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURES", help="Files, folders, patterns, or - for standard input."
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            rich_help_panel=OUTPUT,
            help="Folder, or file for one picture, or - for standard output; "
            "default: beside each picture.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            autocompletion=_complete_model,
            rich_help_panel=STEERING,
            help="See `colorize models`; default: v12. With --compare several, comma separated.",
        ),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="COLORS",
            autocompletion=_complete_palette,
            rich_help_panel=STEERING,
            help="1 to 8 colours, comma separated: hex, or names of CSS; how much of each may "
            "follow: navy:3,tomato; default: the model's choice.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            rich_help_panel=STEERING,
            help="A picture whose colours are used, in place of --palette.",
        ),
    ] = None,
    hint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,COLOR",
            rich_help_panel=STEERING,
            help="A colour at a point, given as shares of width and height; may be repeated.",
        ),
    ] = None,
    hints: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            rich_help_panel=STEERING,
            help='JSON file of them: [{"x": 0.25, "y": 0.5, "color": "#ff8800"}].',
        ),
    ] = None,
    variation: Annotated[
        int,
        typer.Option(
            min=0,
            max=LAST_VARIATION,
            rich_help_panel=STEERING,
            help="0 is the model's best choice of colours, n its n-th alternative; of a palette, "
            "which colours go where.",
        ),
    ] = 0,
    saturation: Annotated[
        float, typer.Option(min=0, max=2, rich_help_panel=STEERING, help="0 is grey.")
    ] = 1,
    brightness: Annotated[float, typer.Option(min=0, max=2, rich_help_panel=STEERING)] = 1,
    contrast: Annotated[float, typer.Option(min=0, max=2, rich_help_panel=STEERING)] = 1,
    tone: Annotated[
        float, typer.Option(min=-1, max=1, rich_help_panel=STEERING, help="-1 is cool, 1 warm.")
    ] = 0,
    variations: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_VARIATIONS,
            rich_help_panel=OUTPUT,
            help="So many variations, numbered from --variation.",
        ),
    ] = None,
    sheet: Annotated[
        bool, typer.Option("--sheet", rich_help_panel=OUTPUT, help="Variations on one sheet.")
    ] = False,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", rich_help_panel=OUTPUT, help="What each model makes of it, on one sheet."
        ),
    ] = False,
    format_name: Annotated[
        FormatName,
        typer.Option("--format", rich_help_panel=OUTPUT, help="auto: as the picture, a sheet PNG."),
    ] = "auto",
    quality: Annotated[
        int, typer.Option(min=1, max=100, rich_help_panel=OUTPUT, help="Of JPEG, WebP and AVIF.")
    ] = DEFAULT_QUALITY,
    metadata: Annotated[
        MetadataName,
        typer.Option(rich_help_panel=OUTPUT, help="EXIF (place included), XMP, IPTC, comments."),
    ] = "drop",
    force: Annotated[
        bool,
        typer.Option("--force", rich_help_panel=RUN, help="Colour anew what is there already."),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            rich_help_panel=RUN,
            help="Pictures at the same time; default: one for each core.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(
            rich_help_panel=RUN,
            help="ray: by all machines of a cluster, for folders and stores of millions of "
            "pictures: colorize --engine ray INPUT OUTPUT.",
        ),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            envvar="RAY_ADDRESS",
            rich_help_panel=RUN,
            help="Of a Ray cluster; default: one of this machine's cores, for this run.",
        ),
    ] = None,
    server: ServerOption = None,
    timeout: TimeoutOption = TIMEOUT_S,
    models: ModelsDirOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=RUN, help="Tell of failures only.")
    ] = False,
) -> None:
    """Colour pictures: the command that is meant when none is named."""
    from service.adjustments import Adjustments
    from service.bulk.order import Order
    from service.bulk.report import Report
    from service.bulk.tasks import lay_out

    if engine == "ray":
        _check_ray(server)
    report = Report(stderr_console(), as_json=as_json, is_quiet=quiet)
    with (
        told_plainly(),
        closing(open_workshop(server, models, timeout, report.note)) as workshop,
    ):
        known = [card.name for card in workshop.cards()]
        order = Order(
            models=_choose_models(model, known, compares=compare),
            kind=_choose_kind(variations, sheet=sheet, compare=compare),
            count=variations or SHEET_COUNT,
            palette=palette,
            reference=reference,
            hints=_read_hints(hint, hints),
            variation=variation,
            adjustments=Adjustments(saturation, brightness, contrast, tone),
            format_name=format_name,
            quality=quality,
            metadata=metadata,
        )
        outcomes: Generator[Outcome]
        total: Callable[[], int | None]
        if engine == "ray":
            from service.bulk.spread import Spread

            spread = Spread(*_split_places(pictures, out), order, read_settings(models))
            outcomes = spread.color(ray_address, jobs, is_forced=force)
            total, report.failures = spread.total, spread.failures
        else:
            order, tasks = lay_out(pictures, out, order, known)
            if any(task.writes_to_standard for task in tasks):
                _check_standard_output(as_json=as_json)
            outcomes = _color_tasks(tasks, order, workshop, jobs, force=force)
            total = tasks.__len__
        _follow(report, outcomes, total)
    if report.failed:
        raise typer.Exit(SOME_FAILED)


def _follow(report: Report, outcomes: Generator[Outcome], total: Callable[[], int | None]) -> None:
    """Tell of outcomes, until there are no more or the user does not want to wait."""
    from service.bulk.engine import EngineError
    from service.bulk.report import show
    from service.bulk.run import has_workers

    try:
        with closing(outcomes):
            report.follow(outcomes, total)
    except KeyboardInterrupt:
        report.finish(total(), is_interrupted=True)
        if has_workers():
            # The interpreter would wait for requests that nobody answers.
            sys.stdout.flush()
            os._exit(INTERRUPTED)
        raise typer.Exit(INTERRUPTED) from None
    except EngineError as error:
        # An engine that was lost on the way leaves what it did.
        if not report.tried:
            raise
        report.finish(total())
        stderr_console().print(f"error: {show(str(error))}", soft_wrap=True, markup=False)
        raise typer.Exit(SOME_FAILED) from None
    report.finish(total())


def _check_ray(server: str | None) -> None:
    """Make sure that Ray can be asked for, and is there."""
    if server is not None:
        raise typer.BadParameter("not with --engine ray", param_hint="--server")
    from service.extras import require_extra

    with told_plainly():
        for module in ("ray", "pyarrow", "pandas", "fsspec"):
            require_extra("--engine ray", module, "ray")


def _split_places(pictures: Sequence[str], out: str | None) -> tuple[str, str]:
    """Tell where pictures are and answers go, with Ray: INPUT OUTPUT, or INPUT -o OUTPUT."""
    source, *others = pictures
    places = [*others, *([] if out is None else [out])] or [source]
    if len(places) > 1 or "-" in (source, *places):
        raise typer.BadParameter(
            "one folder, or URL, of pictures and one of answers, with --engine ray. "
            f"Received: {', '.join((source, *places))}",
            param_hint="PICTURES",
        )
    return source, places[0]


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: HOST, or 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: PORT, or 8000.")
    ] = None,
    models: ModelsDirOption = None,
) -> None:
    """Serve over HTTP, as `python -m service` does; the environment says the rest."""
    from service.__main__ import main as serve_until_stopped

    options = {"host": host, "port": port, "models_dir": models}
    serve_until_stopped(**{name: value for name, value in options.items() if value is not None})


@app.command("models")
def list_models(
    models: ModelsDirOption = None,
    server: ServerOption = None,
    timeout: TimeoutOption = TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """List the models, and what is known of them."""
    with told_plainly(), closing(open_workshop(server, models, timeout)) as workshop:
        cards = workshop.cards()
    if as_json:
        print_json([card.model_dump(mode="json") for card in cards])
        return
    from rich.table import Table

    table = Table("model", "colours", "parameters", "pictures", box=None, header_style="dim")
    for card in cards:
        kinds = " and ".join(card.corpus.kinds) or card.corpus.source
        table.add_row(
            card.name, kinds, f"{card.architecture.parameters:,}", f"{card.corpus.count:,}"
        )
    stdout_console().print(table)


@app.command("palette")
def show_palette(
    picture: Annotated[str, typer.Argument(help="A file, or - for standard input.")],
    colors: Annotated[
        int, typer.Option(min=1, max=MAX_COLORS, help="The most to find; near-duplicates are one.")
    ] = EXTRACTED_COLORS,
    models: ModelsDirOption = None,
    server: ServerOption = None,
    timeout: TimeoutOption = TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Find the colours of a picture: those that it would give as --reference."""
    with told_plainly(), closing(open_workshop(server, models, timeout)) as workshop:
        data = sys.stdin.buffer.read() if picture == "-" else Path(picture).read_bytes()
        palette = workshop.read_palette(data, colors)
    if as_json:
        print_json(palette.model_dump(mode="json"))
        return
    from rich.text import Text

    console = stdout_console()
    for color in palette.colors:
        swatch = Text("      ", f"on {color.hex}") + "  " if console.is_terminal else Text()
        console.print(swatch + f"{color.hex}  {color.share:6.1%}")


@app.command("completion")
def show_completion(
    shell: Annotated[ShellName, typer.Argument(help="The one that is to read it.")],
) -> None:
    """Print what has a shell complete commands, options, models, colours and files."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = get_completion_script(
        prog_name=PROGRAM, complete_var=f"_{PROGRAM.upper()}_COMPLETE", shell=shell
    )
    typer.echo(script)


def _say_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"colorize {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="Say which this is."),
    ] = False,
) -> None:
    """Colour black-and-white abstract pictures."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Say in one line why nothing can be begun."""
    from pydantic import ValidationError

    from service.bulk.engine import EngineError
    from service.bulk.report import show
    from service.bulk.run import describe
    from service.bulk.tasks import TaskError
    from service.errors import ColorizeError
    from service.extras import MissingExtraError
    from service.settings import describe_settings_errors

    try:
        yield
    except BrokenPipeError:
        # Nobody reads on; that is for Typer to end quietly.
        raise
    except ValidationError as error:
        lines = describe_settings_errors(error)
    except OSError as error:
        lines = f"error: {show(describe(error)['detail'])}"
    except (ColorizeError, EngineError, TaskError, MissingExtraError) as error:
        lines = f"error: {show(str(error))}"
    else:
        return
    stderr_console().print(lines, soft_wrap=True, markup=False)
    raise typer.Exit(NOT_POSSIBLE)


def open_workshop(
    server: str | None,
    models: Path | None,
    timeout_s: float = TIMEOUT_S,
    notify: Callable[[str], None] | None = None,
) -> Workshop:
    """Choose who colours: a service, or this process.

    Parameters
    ----------
    server : str or None
    models : Path or None
    timeout_s : float
        How long a service may say nothing.
    notify : callable, optional
        Told what is waited for; by default standard error is.
    """
    if server is not None:
        from service.extras import require_extra

        require_extra("--server", "httpx", "client")
        from service.bulk.remote import RemoteWorkshop
        from service.bulk.report import Report

        key = os.environ.get(KEY_VARIABLE)
        return RemoteWorkshop(server, key, timeout_s, notify or Report(stderr_console()).note)
    from service.bulk.local import LocalWorkshop
    from service.memory import keep_freed

    keep_freed()
    return LocalWorkshop(read_settings(models))


def read_settings(models: Path | None) -> Settings:
    """Read the settings of the environment; the command line has the last word on models."""
    from service.settings import Settings

    return Settings() if models is None else Settings(models_dir=models)


def stderr_console() -> Console:
    """Make the console for people."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def stdout_console() -> Console:
    """Make the console for results."""
    from rich.console import Console

    return Console(highlight=False)


def print_json(document: object) -> None:
    """Print a result for programs."""
    typer.echo(json.dumps(document, indent=2))


def _color_tasks(
    tasks: Sequence[Task], order: Order, workshop: Workshop, jobs: int | None, *, force: bool
) -> Generator[Outcome]:
    """Colour what is not there already; models are loaded only if there is such."""
    from service.bulk.run import Outcome, run_tasks

    upcoming = []
    for task in tasks:
        answers = [] if force else task.answers(order)
        if answers:
            yield Outcome(task.source.name, [str(path) for path in answers], is_skipped=True)
        else:
            upcoming.append(task)
    if upcoming:
        jobs = jobs or workshop.jobs()
        engine = workshop.engine(order, jobs, len(upcoming))
        # What is there by now stays to the end: nobody need look through it for what can go.
        gc.freeze()
        yield from run_tasks(upcoming, engine, min(jobs, len(upcoming)))


def _choose_models(text: str | None, known: Sequence[str], *, compares: bool) -> tuple[str, ...]:
    """Read which models are wanted."""
    from service.errors import UnknownModelError

    if text is None:
        names = tuple(known) if compares else (read_settings(None).default_model,)
    else:
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise UnknownModelError(name, known)
    if len(names) > 1 and not compares:
        raise typer.BadParameter("several are compared, with --compare", param_hint="--model")
    return names


def _choose_kind(variations: int | None, *, sheet: bool, compare: bool) -> Kind:
    if compare and (sheet or variations is not None):
        raise typer.BadParameter("not with --variations and --sheet", param_hint="--compare")
    if compare:
        return "comparison"
    if sheet:
        return "sheet"
    return "picture" if variations is None else "variations"


def _read_hints(points: Sequence[str] | None, file: Path | None) -> tuple[Hint, ...]:
    """Read hints of the command line and of a file."""
    from service.steering import read_hints

    hints = [] if file is None else read_hints(file.read_text())
    return (*hints, *read_hints(json.dumps([_split_hint(point) for point in points or ()])))


def _split_hint(text: str) -> dict[str, float | str]:
    try:
        x, y, color = text.split(",", 2)
        return {"x": float(x), "y": float(y), "color": color}
    except ValueError:
        raise typer.BadParameter(
            f"X,Y,COLOR, such as 0.25,0.5,ff8800. Received: {text}", param_hint="--hint"
        ) from None


def _check_standard_output(*, as_json: bool) -> None:
    """Make sure that a picture on standard output does no harm."""
    if as_json:
        raise typer.BadParameter(
            "not when the picture goes to standard output", param_hint="--json"
        )
    if sys.stdout.isatty():
        raise typer.BadParameter(
            "standard output is a terminal: redirect it, or name a file", param_hint="--out"
        )


if __name__ == "__main__":
    app(prog_name=PROGRAM)
