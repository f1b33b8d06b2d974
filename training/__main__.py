"""The training commands: ``python -m training COMMAND --help``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from service.colorizer import Registry
from service.errors import ColorizeError
from service.settings import available_cores
from training.console import console
from training.corpus import Kind
from training.corpus.folder import write_corpus
from training.errors import TrainingError
from training.recipes import MODEL_KINDS, RECIPES, ModelName, RecipeName, find_recipe

# TensorFlow reads this when it is imported, which commands do only as they need it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PICTURE_SIDE = 256
CORPUS_SEED = 0

app = typer.Typer(
    help="Make the corpus, train the autoencoders, export them to ONNX, judge them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ModelsOption = Annotated[Path, typer.Option("--models", help="Folder of NAME.onnx and NAME.json.")]
CorpusOption = Annotated[
    list[Path] | None,
    typer.Option("--corpus", help="Your own folder of pictures; may be given more than once."),
]
RecipeOption = Annotated[
    RecipeName, typer.Option("--recipe", help="Architecture, loss and numbers.")
]
CountOption = Annotated[
    int | None, typer.Option(min=3, help="Generated pictures of each kind; default: the recipe's.")
]
EpochsOption = Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")]


@app.command()
def corpus(
    kind: Annotated[Kind, typer.Option(help="Which families to draw.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 350,
    seed: SeedOption = CORPUS_SEED,
    side: Annotated[
        int, typer.Option(min=16, max=4096, help="Of each picture, in pixels.")
    ] = PICTURE_SIDE,
) -> None:
    """Draw a corpus of abstract pictures into a folder."""
    write_corpus(kind, seed, count, side, out)


@app.command()
def fit(
    name: Annotated[ModelName, typer.Argument(help="What to train.")],
    out: Annotated[Path, typer.Option(help="Run folder; an unfinished run goes on.")],
    corpus: CorpusOption = None,
    recipe: RecipeOption = "standard",
    count: CountOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = CORPUS_SEED,
) -> None:
    """Train one model, or go on where its run folder stops."""
    _fit(name, out, out.parent / "corpus", corpus, recipe, count, epochs, seed)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    models: ModelsOption = Path("models"),
) -> None:
    """Write the ONNX artifact and the card of a run's best epoch."""
    from training.export import export as export_run

    card = export_run(run, models)
    console.print(f"{models / card.name}.onnx: parity {card.parity:.1e}, {card.metrics}")


@app.command()
def curves(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
) -> None:
    """Draw a run's loss and accuracy over the epochs."""
    from training.curves import draw_curves
    from training.fit import Run, read_history

    draw_curves(read_history(run), Run.load(run).name, out)
    console.print(f"wrote {out}")


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for corpus, runs, models and report.")] = Path(
        "runs/train"
    ),
    corpus: CorpusOption = None,
    recipe: RecipeOption = "standard",
    count: CountOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = CORPUS_SEED,
) -> None:
    """Go the whole road for all models: corpus, training, export, evaluation."""
    from training.export import export as export_run

    for name in MODEL_KINDS:
        console.rule(name)
        _fit(name, out / name, out / "corpus", corpus, recipe, count, epochs, seed)
        export_run(out / name, out / "models")
    drawn = count or RECIPES[recipe].count
    evaluate(models=[out / "models"], out=out, count=min(drawn, 40), write_cards=True)
    console.print(f"Serve them: make serve MODELS={out / 'models'}")


@app.command()
def evaluate(
    models: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of NAME.onnx and NAME.json; may be given more than once."),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Judge on this folder of pictures; each folder in it is a set."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Generated test pictures of each kind.")] = 40,
    out: Annotated[Path, typer.Option(help="Folder for evaluation.md and evaluation.json.")] = Path(
        "docs/results"
    ),
    write_cards: Annotated[
        bool, typer.Option("--write-cards", help="Put the headline figures into the cards.")
    ] = False,
) -> None:
    """Judge the served models on unseen generated pictures, or on a folder."""
    from training import report
    from training.evaluate import evaluate as judge
    from training.evaluate import generate_test_sets, load_models, read_test_sets

    if write_cards and corpus is not None:
        raise typer.BadParameter("cards tell of generated pictures, not of those of --corpus")
    contenders = load_models(models or [Path("models")])
    test_sets = generate_test_sets(count) if corpus is None else read_test_sets(corpus)
    results = judge(contenders, test_sets)
    typer.echo(report.write_report(results, out))
    if write_cards:
        report.write_cards(results, contenders)


@app.command()
def ablate(
    out: Annotated[Path, typer.Option(help="Folder for runs, models and the table.")] = Path(
        "runs/ablate"
    ),
    corpus: Annotated[
        Path | None, typer.Option(help="Judge on this folder instead of generated pictures.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="One of the changes; may be given more than once.")
    ] = None,
) -> None:
    """Train with one choice of the recipe changed at a time, and compare."""
    from training.ablate import ABLATIONS, compare_ablations, fit_ablation

    names = only or list(ABLATIONS)
    unknown = [name for name in names if name not in ABLATIONS]
    if unknown:
        raise typer.BadParameter(
            f"must be of {', '.join(ABLATIONS)}. Received: {', '.join(unknown)}",
            param_hint="--only",
        )
    for name in names:
        console.rule(name)
        fit_ablation(name, out)
    typer.echo(compare_ablations(names, out, corpus))


@app.command()
def gallery(
    models: ModelsOption = Path("models"),
    samples: Annotated[Path, typer.Option(help="Folder of colour pictures.")] = Path("samples"),
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("docs/results/gallery.jpg"),
) -> None:
    """Draw original | grey | V1 | V2 | V12 for each sample, through the served models."""
    from training.gallery import draw_gallery, write_gallery

    registry = Registry.load(models, intra_op_threads=available_cores())
    write_gallery(draw_gallery(registry, samples, list(MODEL_KINDS)), out)
    console.print(f"wrote {out}")


@app.command()
def samples(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("samples"),
) -> None:
    """Draw the sample pictures, in colour and in grey."""
    from training.gallery import write_samples

    for path in write_samples(out):
        console.print(f"wrote {path}")


def _fit(
    name: ModelName,
    run_folder: Path,
    generated_folder: Path,
    own_folders: list[Path] | None,
    recipe_name: RecipeName,
    count: int | None,
    epochs: int | None,
    seed: int,
) -> None:
    """Draw the corpus unless the user has one, then train."""
    from training.fit import Run
    from training.fit import fit as fit_run

    recipe = find_recipe(recipe_name, name)
    recipe = recipe if count is None else replace(recipe, count=count)
    kinds = MODEL_KINDS[name]
    if own_folders:
        folders = own_folders
    else:
        folders = [generated_folder / kind for kind in kinds]
        for kind, folder in zip(kinds, folders, strict=True):
            write_corpus(kind, seed, recipe.count, recipe.side, folder)
    run = Run(
        name=name,
        kinds=() if own_folders else kinds,
        source=", ".join(folder.name for folder in own_folders) if own_folders else "generated",
        corpus_seed=None if own_folders else seed,
        epochs=epochs or (recipe.epochs if len(kinds) == 1 else recipe.epochs_both),
        recipe=recipe,
    )
    fit_run(run, folders, run_folder)


def main() -> None:
    """Run a command; what the user can mend is said in one line."""
    try:
        app()
    except (TrainingError, ColorizeError, OSError) as error:
        # A path may hold what looks like markup, and be longer than the line.
        console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
