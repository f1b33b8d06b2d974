"""The same pipeline behind other servers, each set up as its own guide says."""

from __future__ import annotations

from collections.abc import Callable

from bench.load import SAMPLES
from service.colorizer import Registry
from service.images import Limits
from service.pipeline import ColorizedPicture, colorize
from service.settings import Settings


def load_pipeline() -> Callable[[bytes], ColorizedPicture]:
    """Load the model that the service would use, with its settings.

    Returns
    -------
    colorize : callable
        The upload's bytes in, the coloured picture out.
    """
    settings = Settings()
    registry = Registry.load(settings.models_dir, settings.intra_op_threads)
    colorizer = registry.get(settings.default_model)
    limits = Limits(max_pixels=settings.max_picture_pixels)
    # The first picture makes tables; the service has them made before it listens.
    colorize(SAMPLES[0].read_bytes(), colorizer, limits)
    return lambda data: colorize(data, colorizer, limits)
