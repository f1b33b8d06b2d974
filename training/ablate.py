"""What each choice of the recipe gives: short trainings that differ in one of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from training.corpus import FAMILIES
from training.corpus.folder import write_corpus
from training.cost import count_macs, measure_speed
from training.evaluate import (
    AUTOMATIC,
    HINT_TASKS,
    NO_SHARES,
    TRUE_PALETTE,
    Method,
    SetResult,
    evaluate,
    generate_test_sets,
    load_models,
    read_test_sets,
)
from training.export import WORKING_SIZE, export
from training.files import replace_file
from training.fit import Run, fit, read_history
from training.recipes import RECIPES, Recipe
from training.summary import Results, summarize

COUNT = 600
"""Generated pictures of each kind."""
EPOCHS = 4
TEST_COUNT = 20
"""Pictures of each kind to compare on, when they are generated."""
TASKS = (TRUE_PALETTE, NO_SHARES, HINT_TASKS[10], HINT_TASKS[50])


@dataclass(frozen=True)
class Ablation:
    """One change of the recipe.

    Attributes
    ----------
    says : str
        For people: what is different.
    changes : dict
        Fields of the recipe and their values.
    """

    says: str
    changes: dict[str, Any] = field(default_factory=dict)


ABLATIONS: dict[str, Ablation] = {
    "standard": Ablation("the recipe, as short as the others"),
    "deep": Ablation("a second convolution at each size of the encoder", {"architecture": "deep"}),
    "dot-product": Ablation(
        "attention without tables: query and key alone", {"architecture": "dot-product"}
    ),
    "quantised": Ablation(
        "no palette: 53 classes of a*b*, rebalanced (after Zhang 2016)",
        {"architecture": "quantised", "loss": "quantised"},
    ),
    "no-turn": Ablation("hues never turned", {"turn_share": 0.0}),
    "no-light": Ablation("pictures never lit with colours", {"light_share": 0.0}),
    "no-average": Ablation("the last weights instead of their average", {"average_momentum": 0.0}),
    "no-edges": Ablation("no edge term", {"edge_weight": 0.0}),
    "sharp-edges": Ablation("edge term of 0.5", {"edge_weight": 0.5}),
    "regions": Ablation("region term: differences 8 pixels apart", {"region_weight": 0.15}),
    "match": Ablation("colour-matching term: mean C*", {"match_weight": 0.2}),
    "cie94": Ablation("CIE94 instead of distances in a*b*", {"is_perceptual": True}),
    "one-size": Ablation("128 pixels from the start", {"sizes": (128,)}),
}


def fit_ablation(name: str, folder: Path) -> None:
    """Train one of `ABLATIONS` on both kinds and export it, or go on where that stopped.

    Parameters
    ----------
    name : str
    folder : Path
        Gets `corpus/`, shared by all, `NAME/`, the run, and `models/NAME.onnx`.
    """
    recipe: Recipe = replace(RECIPES["standard"], count=COUNT, **ABLATIONS[name].changes)
    corpora = [folder / "corpus" / kind for kind in FAMILIES]
    for kind, corpus in zip(FAMILIES, corpora, strict=True):
        write_corpus(kind, 0, COUNT, recipe.side, corpus)
    run = Run(name, tuple(FAMILIES), "generated", 0, EPOCHS, recipe)
    fit(run, corpora, folder / name)
    export(folder / name, folder / "models")


def compare_ablations(names: list[str], folder: Path, corpus: Path | None) -> str:
    """Judge what `fit_ablation` made, and write ``ablations.md`` into the folder.

    Parameters
    ----------
    names : list of str
    folder : Path
    corpus : Path or None
        Folder of pictures to judge on; None for generated ones.

    Returns
    -------
    str
        The table, in Markdown.
    """
    test_sets = generate_test_sets(TEST_COUNT) if corpus is None else read_test_sets(corpus)
    results = evaluate(load_models([folder / "models"]), test_sets)
    artifacts = {name: (folder / "models" / f"{name}.onnx").read_bytes() for name in names}
    speed = measure_speed(artifacts, WORKING_SIZE, threads=1)
    header = ["change", *TASKS, "spread", "automatic ratio", "minutes", "GMACs", "ms"]
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    for name in names:
        cells = [
            ABLATIONS[name].says,
            *_scores(results, name),
            f"{_read_minutes(folder / name):.1f}",
            f"{count_macs(artifacts[name], WORKING_SIZE) / 1e9:.2f}",
            f"{speed[name]:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    table = "\n".join(lines) + "\n"
    with replace_file(folder / "ablations.md") as path:
        path.write_text(table)
    return table


def _scores(results: Results, name: str) -> list[str]:
    """CIEDE2000 of each task, spread with the true palette, automatic colourfulness ratio."""
    columns = [(task, "ciede2000") for task in TASKS]
    columns += [(TRUE_PALETTE, "flat_spread"), (AUTOMATIC, "colorfulness_ratio")]
    return [
        " / ".join(_score(result, Method(name, task), measure) for result in results.values())
        for task, measure in columns
    ]


def _score(result: SetResult, method: Method, measure: str) -> str:
    return f"{summarize(result, method)[measure]:.2f}" if method in result.scores else "-"


def _read_minutes(run_folder: Path) -> float:
    """Return what the epochs of a run took."""
    return sum(row["seconds"] for row in read_history(run_folder)) / 60
