"""The engine in this process: the service's own pipeline."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from service.bulk.crew import CAN_COPY, Crew
from service.bulk.engine import Answer, RunEngine
from service.bulk.order import Order
from service.card import ModelCard
from service.color import warm_up
from service.colorizer import Registry, list_models, read_card
from service.errors import errors_of
from service.images import Limits
from service.negotiation import weigh_format_name
from service.palettes import PaletteOfPicture
from service.pipeline import (
    ColorizedPicture,
    OutputOptions,
    colorize,
    predict_colorings,
    read_palette,
)
from service.providers import CPU_ONLY
from service.settings import Settings, available_cores
from service.sheets import draw_comparison, draw_variations
from service.steering import Look, make_hints, read_palette_names

PICTURES_WORTH_A_PROCESS = 24
"""So many for each, and what a process costs, the models once more, is less than it saves."""


class LocalWorkshop:
    """The pipeline in this process; see `Workshop`.

    Parameters
    ----------
    settings : Settings
        Where models are, and how large pictures may be.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = Limits(max_pixels=settings.max_picture_pixels)

    def cards(self) -> list[ModelCard]:
        """Read the cards, without loading the models."""
        folder = self._settings.models_dir
        return [read_card(folder / f"{name}.onnx") for name in list_models(folder)]

    def close(self) -> None:
        """Do nothing: all that it holds goes with the process."""

    def jobs(self) -> int:
        """Tell how many pictures the service would colour at a time."""
        return self._settings.working_slots

    def engine(self, order: Order, jobs: int, count: int) -> RunEngine:
        """Load the models of an order, in this process or, for many pictures, in others."""
        settings, look = self._settings, read_look(order, self._limits)
        at_once = min(jobs, count)
        # What has no picture of its own helps with those of others; never more than there is.
        threads = settings.intra_op_threads * (jobs // at_once)
        threads = max(1, min(threads, available_cores() // at_once))
        make_engine = partial(LocalEngine, settings, order, threads, look)
        is_worth_it = at_once > 1 and count >= PICTURES_WORTH_A_PROCESS * at_once
        if is_worth_it and CAN_COPY and settings.execution_providers == CPU_ONLY:
            # Once, for all of them.
            warm_up()
            return Crew(make_engine, at_once)
        return make_engine()

    def read_palette(self, data: bytes, count: int) -> PaletteOfPicture:
        """Find the colours of an encoded picture."""
        return PaletteOfPicture.of(read_palette(data, self._limits, count))


class LocalEngine:
    """Colours in the threads that call it; see `RunEngine`.

    Parameters
    ----------
    settings : Settings
        Where models are, and how large pictures may be.
    order : Order
    threads : int
        That a model works with.
    look : Look
        What the order says about colours, as from `read_look`.

    Raises
    ------
    ColorizeError
        When a model is not there or cannot be used.
    """

    def __init__(self, settings: Settings, order: Order, threads: int, look: Look) -> None:
        # Side by side: each takes a fifth of a second, on a core of its own.
        with ThreadPoolExecutor(1, "colorize-load") as pool:
            loading = pool.submit(
                Registry.load,
                settings.models_dir,
                threads,
                providers=settings.execution_providers,
                names=order.models,
            )
            # Before threads come, which would each make the tables.
            warm_up()
        registry = loading.result()
        self._order = order
        self._colorizers = [registry.get(name) for name in order.models]
        self._limits = Limits(max_pixels=settings.max_picture_pixels)
        self._output = OutputOptions(
            weigh_format_name(order.format_name), order.quality, order.metadata == "keep"
        )
        self._look = look
        for colorizer in self._colorizers:
            colorizer.require(*self._look.needs)

    def close(self) -> None:
        """Do nothing: all that it holds goes with the process."""

    def color(self, data: bytes) -> list[Answer]:
        """Make the answers of an encoded picture; see `Engine`."""
        colorizer, output, look = self._colorizers[0], self._output, self._look
        count = self._order.count
        match self._order.kind:
            case "picture":
                pictures = [colorize(data, colorizer, self._limits, output, look)]
            case "variations":
                colorings = predict_colorings(data, colorizer, self._limits, output, look, count)
                pictures = [colorings.finish(index) for index in range(len(colorings))]
            case "sheet":
                pictures = [draw_variations(data, colorizer, self._limits, output, look, count)]
            case "comparison":
                pictures = [draw_comparison(data, self._colorizers, self._limits, output, look)]
        return [
            _answer(picture, ending)
            for picture, ending in zip(pictures, self._order.endings, strict=True)
        ]


def read_look(order: Order, limits: Limits) -> Look:
    """Read what an order says about colours, the reference included.

    Raises
    ------
    ColorizeError
        When the reference is not a picture that we read.
    OSError
        When it cannot be read at all.
    """
    palette = None
    if order.palette is not None:
        palette = read_palette_names(order.palette)
    elif order.reference is not None:
        with errors_of("reference"):
            palette = read_palette(order.reference.read_bytes(), limits)
    return Look(palette, make_hints(order.hints), order.variation, order.adjustments)


def _answer(picture: ColorizedPicture, ending: str) -> Answer:
    return Answer(picture.data, ending, picture.extension, picture.palettes)
