"""The corpus: procedural abstract pictures, seeded, of any size."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.corpus import fluid, geometric
from training.corpus.family import Family
from training.corpus.finish import finish_picture
from training.corpus.palettes import sample_palette

Kind = Literal["geometric", "fluid"]

FAMILIES: dict[Kind, dict[str, Family]] = {
    "geometric": geometric.FAMILIES,
    "fluid": fluid.FAMILIES,
}


def generate_picture(
    kind: Kind, seed: int, index: int, height: int, width: int
) -> NDArray[np.uint8]:
    """Draw the `index`-th picture of a corpus.

    Each picture has its own generator, so that it does not depend on how many
    others are drawn, nor on their order. Families take turns.

    Parameters
    ----------
    kind : {"geometric", "fluid"}
    seed : int
        Of the corpus.
    index : int
        Of the picture in the corpus.
    height, width : int
        In pixels; the composition stays the same at any size.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Gamma-encoded sRGB.
    """
    families = list(FAMILIES[kind].values())
    rng = np.random.default_rng([seed, list(FAMILIES).index(kind), index])
    draw = families[index % len(families)]
    return finish_picture(rng, draw(rng, height, width, sample_palette(rng)))
