"""Recipes: what can be derived from them, and what JSON makes of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from training.network import ARCHITECTURES
from training.recipes import RECIPES, Recipe

each_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@pytest.mark.parametrize(
    ("sizes", "epochs", "expected"),
    [
        ((128,), 3, [128, 128, 128]),
        ((96, 128), 4, [96, 96, 128, 128]),
        ((96, 128), 5, [96, 96, 96, 128, 128]),
        ((64, 96, 128), 2, [64, 96]),
        ((64, 96, 128), 1, [64]),
    ],
)
def test_size_at_gives_each_size_an_equal_part(
    sizes: tuple[int, ...], epochs: int, expected: list[int]
) -> None:
    recipe = replace(RECIPES["standard"], sizes=sizes)
    assert [recipe.size_at(epoch, epochs) for epoch in range(epochs)] == expected


@each_recipe
def test_recipe_json_round_trip(recipe: Recipe) -> None:
    assert Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe


@each_recipe
def test_recipe_sizes_suit_architecture_and_pictures(recipe: Recipe) -> None:
    multiple = ARCHITECTURES[recipe.architecture].size_multiple
    assert all(size % multiple == 0 and size <= recipe.side for size in recipe.sizes)
    assert recipe.side // 2 % multiple == 0  # what is validated on
