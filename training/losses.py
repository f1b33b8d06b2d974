"""What a prediction costs, and how good it is.

All take what is true (`chroma`, (N, h, w, 2), unnormalised, at the size of the
prediction, and `book_target`, (N, book size), how well each palette of the book
fits) and the network's outputs (`chroma`, and, if it is conditional, `scores`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from training.network import CHROMA_SCALE
from training.recipes import Recipe
from training.rivals import quantised_loss

Tensor = Any
Tensors = dict[str, Tensor]
Loss = Callable[[Tensors, Tensors], Tensor]


def make_loss(recipe: Recipe) -> Loss:
    """Return the loss of a recipe: a scalar from what is true and the outputs."""
    if recipe.loss == "squared":
        return squared_loss
    if recipe.loss == "quantised":
        return quantised_loss
    return lambda truth, outputs: palette_loss(truth, outputs, recipe)


def palette_loss(truth: Tensors, outputs: Tensors, recipe: Recipe) -> Tensor:
    """Judge where the colours were placed, and which palette was scored highest.

    The first is the mean colour difference, which lets a place settle on one
    colour where a squared error would settle between two, plus the same for
    differences of neighbours, near and far: flat stays flat, edges stay sharp,
    and what has one colour keeps one.
    """
    target, chroma = truth["chroma"], outputs["chroma"]
    difference = cie94 if recipe.is_perceptual else _distance
    loss = ops.mean(difference(target, chroma))
    for weight, reach in ((recipe.edge_weight, 1), (recipe.region_weight, recipe.region_reach)):
        for axis in (1, 2) if weight else ():
            step = _neighbour_difference(chroma, axis, reach)
            true_step = _neighbour_difference(target, axis, reach)
            loss += weight * ops.mean(_length(step - true_step))
    if recipe.match_weight:
        gap = ops.mean(_length(chroma) - _length(target), axis=(1, 2))  # (N,)
        loss += recipe.match_weight * ops.mean(ops.abs(gap))
    cross_entropy = -ops.sum(truth["book_target"] * ops.log_softmax(outputs["scores"]), axis=-1)
    return loss + recipe.score_weight * ops.mean(cross_entropy)


def squared_loss(truth: Tensors, outputs: Tensors) -> Tensor:
    """Mean squared error, in shares of `CHROMA_SCALE`."""
    error = (outputs["chroma"] - truth["chroma"]) / CHROMA_SCALE
    return ops.mean(ops.square(error))


def cie94(target: Tensor, chroma: Tensor) -> Tensor:
    """Colour difference of colours of the same lightness: (..., 2) to (...).

    Differences of vivid colours count less than of dull ones, as to the eye.

    References
    ----------
    .. [1] CIE 116-1995, "Industrial colour-difference evaluation": CIE94.
    """
    true_size = _length(target)
    size_gap = ops.square(true_size - _length(chroma))
    hue_gap = ops.maximum(ops.sum(ops.square(target - chroma), axis=-1) - size_gap, 0)
    size_gap /= ops.square(1 + 0.045 * true_size)
    hue_gap /= ops.square(1 + 0.015 * true_size)
    return ops.sqrt(size_gap + hue_gap + 1e-2)


def accuracy(truth: Tensors, outputs: Tensors) -> Tensor:
    """Share of pixels whose larger channel, a* or b*, is the right one.

    This is what Keras reports as `accuracy` for two output channels, and what
    the published curves of this task show.
    """
    target, chroma = truth["chroma"], outputs["chroma"]
    agrees = ops.equal(target[..., 0] >= target[..., 1], chroma[..., 0] >= chroma[..., 1])
    return ops.mean(ops.cast(agrees, "float32"))


def distance(truth: Tensors, outputs: Tensors) -> Tensor:
    """Mean distance in the a*b* plane."""
    return ops.mean(_distance(truth["chroma"], outputs["chroma"]))


METRICS: dict[str, Callable[[Tensors, Tensors], Tensor]] = {
    "accuracy": accuracy,
    "distance": distance,
}


def _distance(target: Tensor, chroma: Tensor) -> Tensor:
    return _length(chroma - target)


def _length(vectors: Tensor) -> Tensor:
    """Euclidean norm, smooth at zero: (..., 2) -> (...)."""
    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1) + 1e-2)


def _neighbour_difference(x: Tensor, axis: int, reach: int) -> Tensor:
    if axis == 1:
        return x[:, reach:] - x[:, :-reach]
    return x[:, :, reach:] - x[:, :, :-reach]
