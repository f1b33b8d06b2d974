"""How each model is trained: one table of all choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.corpus import Kind

ModelName = Literal["v1", "v2", "v12"]
RecipeName = Literal["standard", "classic"]
LossName = Literal["palette", "squared"]

MODEL_KINDS: dict[ModelName, tuple[Kind, ...]] = {
    "v1": ("geometric",),
    "v2": ("fluid",),
    "v12": ("geometric", "fluid"),
}
"""What each model is trained on."""


@dataclass(frozen=True)
class Recipe:
    """The choices that make a training.

    Attributes
    ----------
    name : str
    architecture : str
        A key of `training.network.ARCHITECTURES`.
    loss : str
        A key of `training.losses.LOSSES`.
    count : int
        Generated pictures of each kind.
    epochs, epochs_both : int
        For models of one kind, and for the model of both.
    side : int
        Of the square that is read of each picture, in pixels; the network
        trains at half of it.
    batch_size : int
    learning_rate : float
        At its peak; it rises over the first epoch and falls as a cosine.
    weight_decay : float
    seed : int
        Of the weights, the order and the augmentation.
    """

    name: RecipeName
    architecture: str
    loss: LossName
    count: int
    epochs: int
    epochs_both: int
    side: int = 256
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    seed: int = 0


_STANDARD = Recipe("standard", "unet", "palette", count=2400, epochs=16, epochs_both=10)
# What the published study did: few pictures, many epochs, squared error.
_CLASSIC = Recipe("classic", "classic", "squared", count=350, epochs=150, epochs_both=100, side=512)
RECIPES: dict[RecipeName, Recipe] = {recipe.name: recipe for recipe in (_STANDARD, _CLASSIC)}
