"""How each model is trained: one table of all choices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from training.corpus import Kind

ModelName = Literal["v1", "v2", "v12"]
RecipeName = Literal["standard", "classic"]
LossName = Literal["palette", "squared", "quantised"]

MODEL_KINDS: dict[ModelName, tuple[Kind, ...]] = {
    "v1": ("geometric",),
    "v2": ("fluid",),
    "v12": ("geometric", "fluid"),
}
"""What each model is trained on."""
MODEL_CHOICES: dict[ModelName, dict[str, Any]] = {
    "v1": {"book_seed": 11, "given_share_weight": 4.0, "first_drift_weight": 0.6},
    "v2": {"book_seed": 3, "given_share_weight": 2.5, "first_drift_weight": 0.3},
    "v12": {"book_seed": 18, "given_share_weight": 3.0, "first_drift_weight": 0.5},
}
"""What each model has of its own in any recipe, chosen on real pictures of its kinds."""


@dataclass(frozen=True)
class Recipe:
    """The choices that make a training.

    Attributes
    ----------
    name : str
    architecture : str
        See `training.architectures`.
    loss : str
        See `training.losses`.
    count : int
        Generated pictures of each kind.
    epochs, epochs_both : int
        For models of one kind, and for the model of both.
    side : int
        Of the square that is read of each picture, in pixels.
    sizes : tuple of int
        Of the views that the network trains on, in pixels, for equal parts of
        the epochs: a small size first is a quick start.
    batch_size : int
    learning_rate : float
        At its peak; it rises over the first epoch and falls as a cosine.
    weight_decay : float
    average_momentum : float
        Of the averages of the weights, which are what is kept.
    is_perceptual : bool
        Whether colours are compared by CIE94 instead of their distance in the
        a*b* plane.
    edge_weight, region_weight : float
        Of differences of neighbours, and of those `region_reach` pixels apart.
    region_reach : int
    match_weight : float
        Of how far a picture's mean C* is from the true one.
    score_weight : float
        Of scoring the palettes of the book.
    turn_share : float
        Of the samples whose hues are turned, picture and conditions together.
    light_share : float
        Of the samples without a palette that are lit with colours.
    seed : int
        Of the weights, the order and the augmentation.
    book_seed : int
        Of who is in the crowd that the palette book covers.
    given_share_weight : float
        Of the shares of a given palette, once the model is served; 1 is as learned.
    first_drift_weight : float
        Of colours that change where a picture is smooth, in the palette that is chosen first.
    """

    name: RecipeName
    architecture: str
    loss: LossName
    count: int
    epochs: int
    epochs_both: int
    side: int = 256
    sizes: tuple[int, ...] = (128,)
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    average_momentum: float = 0.998
    is_perceptual: bool = False
    edge_weight: float = 0.25
    region_weight: float = 0.0
    region_reach: int = 8
    match_weight: float = 0.0
    score_weight: float = 1.0
    turn_share: float = 0.5
    light_share: float = 0.6
    seed: int = 0
    book_seed: int = 0
    given_share_weight: float = 3.0
    first_drift_weight: float = 0.5

    def __post_init__(self) -> None:
        """Make equal what JSON makes of a recipe."""
        object.__setattr__(self, "sizes", tuple(self.sizes))

    def size_at(self, epoch: int, epochs: int) -> int:
        """Return the size of an epoch, the first being 0."""
        return self.sizes[epoch * len(self.sizes) // epochs]


_STANDARD = Recipe(
    "standard",
    "unet",
    "palette",
    count=2400,
    epochs=12,
    epochs_both=7,
    sizes=(96, 128, 128, 128),
)
# What the published study did: few pictures, many epochs, squared error; but at half
# its size, which two cores can afford.
_CLASSIC = Recipe(
    "classic",
    "classic",
    "squared",
    count=350,
    epochs=150,
    epochs_both=100,
    learning_rate=1e-3,
    turn_share=0.0,
    light_share=0.0,
)
RECIPES: dict[RecipeName, Recipe] = {recipe.name: recipe for recipe in (_STANDARD, _CLASSIC)}


def find_recipe(name: RecipeName, model: ModelName) -> Recipe:
    """Return the recipe by which a model is trained."""
    return replace(RECIPES[name], **MODEL_CHOICES[model])
