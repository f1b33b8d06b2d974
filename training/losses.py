"""What a prediction costs, and how good it is.

All take what is true (`chroma`, (N, H, W, 2), unnormalised, and `book_target`,
(N, book size), how well each palette of the book fits) and the network's
outputs (`chroma`, (N, h, w, 2), and, if it takes a palette, `scores`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from training.network import CHROMA_SCALE

Tensor = Any
Tensors = dict[str, Tensor]

EDGE_WEIGHT = 0.5
SCORE_WEIGHT = 1.0


def palette_loss(truth: Tensors, outputs: Tensors) -> Tensor:
    """Judge where the palette was placed, and which palette was scored highest.

    The first is the mean Euclidean distance in the a*b* plane, which lets a place
    settle on one colour where a squared error would settle between two, plus the
    same for differences of neighbours: flat stays flat and edges stay sharp.
    """
    target, chroma = match_size(truth, outputs), outputs["chroma"]
    loss = ops.mean(_length(chroma - target))
    for axis in (1, 2):
        step = _neighbour_difference(chroma, axis) - _neighbour_difference(target, axis)
        loss += EDGE_WEIGHT * ops.mean(_length(step))
    cross_entropy = -ops.sum(truth["book_target"] * ops.log_softmax(outputs["scores"]), axis=-1)
    return loss + SCORE_WEIGHT * ops.mean(cross_entropy)


def squared_loss(truth: Tensors, outputs: Tensors) -> Tensor:
    """Mean squared error, in shares of `CHROMA_SCALE`."""
    error = (outputs["chroma"] - match_size(truth, outputs)) / CHROMA_SCALE
    return ops.mean(ops.square(error))


LOSSES: dict[str, Callable[[Tensors, Tensors], Tensor]] = {
    "palette": palette_loss,
    "squared": squared_loss,
}


def accuracy(truth: Tensors, outputs: Tensors) -> Tensor:
    """Share of pixels whose larger channel, a* or b*, is the right one.

    This is what Keras reports as `accuracy` for two output channels, and what
    the published curves of this task show.
    """
    target, chroma = match_size(truth, outputs), outputs["chroma"]
    agrees = ops.equal(target[..., 0] >= target[..., 1], chroma[..., 0] >= chroma[..., 1])
    return ops.mean(ops.cast(agrees, "float32"))


def distance(truth: Tensors, outputs: Tensors) -> Tensor:
    """Mean distance in the a*b* plane."""
    return ops.mean(_length(outputs["chroma"] - match_size(truth, outputs)))


METRICS: dict[str, Callable[[Tensors, Tensors], Tensor]] = {
    "accuracy": accuracy,
    "distance": distance,
}


def match_size(truth: Tensors, outputs: Tensors) -> Tensor:
    """Average the true chroma down to the size of the predicted one."""
    stride = truth["chroma"].shape[1] // outputs["chroma"].shape[1]
    return ops.average_pool(truth["chroma"], stride) if stride > 1 else truth["chroma"]


def _length(vectors: Tensor) -> Tensor:
    """Euclidean norm, smooth at zero: (..., 2) -> (...)."""
    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1) + 1e-2)


def _neighbour_difference(x: Tensor, axis: int) -> Tensor:
    return x[:, 1:] - x[:, :-1] if axis == 1 else x[:, :, 1:] - x[:, :, :-1]
