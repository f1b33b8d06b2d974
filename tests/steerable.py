"""A tiny model that has every input and output a model may have.

Its book has `BOOK`'s palettes, of which `variation` names one. It paints the mean
of the colours that it is given, or else of those that it chose, everywhere but
near hints, which it paints in their colours.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.checker
import onnx.parser

from service.card import ModelCard
from tests.conftest import tensor_card, write_artifact, write_model

BOOK = (
    ((20, 20, -15, 0.5), (80, 20, -15, 0.5)),
    ((30, -30, 10, 1), (0, 0, 0, 0)),
    ((60, 5, 50, 1), (0, 0, 0, 0)),
)
HINT_REACH = 0.13
"""How near to a hint a place must be, in shares of width and height."""

TYPES = {
    "lightness": "float[N, H, W, 1]",
    "palette": "float[P, K, 4]",
    "hints": "float[P, M, 5]",
    "variation": "int64[P]",
}
CARDS = {
    "lightness": tensor_card("lightness", ["N", "H", "W", 1], "CIE L*", (0, 100)),
    "palette": tensor_card("palette", ["P", "K", 4], "CIE L*, a*, b*, weight", (-128, 128)),
    "hints": tensor_card("hints", ["P", "M", 5], "x, y, CIE a*, b*, weight", (-128, 128)),
    "variation": tensor_card("variation", ["P"], "choice", (0, 2**31), dtype="int64"),
    "chroma": tensor_card("chroma", ["P", "h", "w", 2], "CIE a*, b*", (-128, 128)),
    "scores": tensor_card("scores", ["N", "B"], "share", (0, 1)),
    "placed_palette": tensor_card(
        "placed_palette", ["P", "J", 4], "CIE L*, a*, b*, weight", (-128, 128)
    ),
}
ALL_INPUTS = ("lightness", "palette", "hints", "variation")
ALL_OUTPUTS = ("chroma", "scores", "placed_palette")
DEFAULTS = {
    "palette": "float[1, 1, 4] palette = {0, 0, 0, 0}",
    "hints": "float[1, 1, 5] hints = {0, 0, 0, 0, 0}",
    "variation": "int64[1] variation = {0}",
}
"""What the graph computes with where it is not fed."""

GRAPH = """
<ir_version: 10, opset_import: ["" : 18]>
steerable ({inputs})
=> (float[P, h, w, 2] chroma, float[N, B] scores, float[P, J, 4] placed_palette)
<
  {defaults},
  float[3, 2, 4] book = {{{book}}}, float[1, 3] all_scores = {{0.5, 0.3, 0.2}},
  float nothing = {{0}}, float half = {{0.5}}, float reach = {{{reach}}},
  int64 zero = {{0}}, int64 step = {{1}}, int64[1] size = {{3}},
  int64[1] first = {{0}}, int64[1] one = {{1}}, int64[1] two = {{2}}, int64[1] three = {{3}},
  int64[1] four = {{4}}, int64[1] five = {{5}}, int64[1] last = {{-1}}, int64[2] sides = {{1, 2}},
  int64[2] far = {{100000, 100000}}, int64[2] origin = {{0, 0}}, int64[2] strides = {{2, 2}}
>
{{
  number = Mod (variation, size)
  best = Gather (book, number)
  given_weights = Slice (palette, three, four, two)
  given_weight = ReduceSum (given_weights, one)
  is_given = Greater (given_weight, nothing)
  is_chosen = Not (is_given)
  chosen_share = Cast <to = 1> (is_chosen)
  chosen = Mul (best, chosen_share)
  placed_palette = Concat <axis = 1> (palette, chosen)
  colors = Slice (placed_palette, one, three, two)
  weights = Slice (placed_palette, three, four, two)
  weighted = Mul (colors, weights)
  sum_of_colors = ReduceSum (weighted, one)
  sum_of_weights = ReduceSum (weights, one)
  mean = Div (sum_of_colors, sum_of_weights)
  paint = Unsqueeze (mean, one)

  small = Slice (lightness, origin, far, sides, strides)
  dark = Mul (small, nothing)
  height_1 = Shape <start = 1, end = 2> (small)
  width_1 = Shape <start = 2, end = 3> (small)
  height = Squeeze (height_1)
  width = Squeeze (width_1)
  height_float = Cast <to = 1> (height)
  width_float = Cast <to = 1> (width)
  row_numbers = Range (zero, height, step)
  rows = Cast <to = 1> (row_numbers)
  row_centres = Add (rows, half)
  ys_flat = Div (row_centres, height_float)
  column_numbers = Range (zero, width, step)
  columns = Cast <to = 1> (column_numbers)
  column_centres = Add (columns, half)
  xs = Div (column_centres, width_float)
  ys = Unsqueeze (ys_flat, one)

  hint_x = Slice (hints, first, one, two)
  hint_y = Slice (hints, one, two, two)
  hint_a = Slice (hints, two, three, two)
  hint_b = Slice (hints, three, four, two)
  hint_weight = Slice (hints, four, five, two)
  x = Unsqueeze (hint_x, last)
  y = Unsqueeze (hint_y, last)
  weight = Unsqueeze (hint_weight, last)
  right = Sub (xs, x)
  below = Sub (ys, y)
  x_distance = Abs (right)
  y_distance = Abs (below)
  distance = Max (x_distance, y_distance)
  is_within = Less (distance, reach)
  within = Cast <to = 1> (is_within)
  near = Mul (within, weight)

  reached = ReduceSum <keepdims = 0> (near, one)
  reached_plane = Unsqueeze (reached, last)
  unit = Exp (nothing)
  rest = Sub (unit, reached_plane)
  hint_a_wide = Unsqueeze (hint_a, last)
  hint_b_wide = Unsqueeze (hint_b, last)
  near_a = Mul (near, hint_a_wide)
  near_b = Mul (near, hint_b_wide)
  hinted_a = ReduceSum <keepdims = 0> (near_a, one)
  hinted_b = ReduceSum <keepdims = 0> (near_b, one)
  hinted_a_plane = Unsqueeze (hinted_a, last)
  hinted_b_plane = Unsqueeze (hinted_b, last)
  hinted = Concat <axis = -1> (hinted_a_plane, hinted_b_plane)
  painted = Mul (paint, rest)
  colored = Add (painted, hinted)
  chroma = Add (colored, dark)
  scores = Identity (all_scores)
}}
"""


def write_steerable_models(folder: Path) -> Path:
    """Write V1, V2 and V12, which take everything, and `plain`, which takes nothing."""
    for name in ("v1", "v2", "v12"):
        write_steerable_model(folder, name)
    write_model(folder, "plain")
    return folder


def write_steerable_model(
    models_dir: Path,
    name: str,
    inputs: tuple[str, ...] = ALL_INPUTS,
    outputs: tuple[str, ...] = ALL_OUTPUTS,
    *,
    has_defaults: bool = True,
) -> ModelCard:
    """Write an artifact and a card of the model, with some of its inputs and outputs.

    Parameters
    ----------
    has_defaults : bool
        Whether inputs beside lightness may be left out of the feed.
    """
    absent = [key for key in DEFAULTS if has_defaults or key not in inputs]
    text = GRAPH.format(
        inputs=", ".join(f"{TYPES[key]} {key}" for key in inputs),
        defaults=", ".join(DEFAULTS[key] for key in absent) or "float unused = {0}",
        book=", ".join(str(value) for palette in BOOK for color in palette for value in color),
        reach=HINT_REACH,
    )
    model = onnx.parser.parse_model(text)
    for output in list(model.graph.output):
        if output.name not in outputs:
            model.graph.output.remove(output)
    onnx.checker.check_model(model)
    return write_artifact(
        models_dir,
        name,
        model.SerializeToString(),
        [CARDS[key] for key in inputs],
        [CARDS[key] for key in outputs],
    )
