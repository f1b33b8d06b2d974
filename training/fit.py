"""Training: a run folder that can be killed at any moment and continued.

A run folder holds

    run.json          what is trained, on what, and how
    history.csv       a line for each finished epoch
    book.npz          the palettes that the model chooses from
    best.weights.h5   of the epoch with the lowest validation loss
    latest.npz        what the next start continues from
    curves.png        loss and accuracy
    test.json         the best epoch's metrics on the test split, when all is done
"""

from __future__ import annotations

import csv
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from training.architectures import find_architecture
from training.book import Book
from training.curves import draw_curves
from training.dataset import (
    Split,
    Splits,
    load_splits,
    plain_batches,
    steps_per_epoch,
    training_batches,
)
from training.errors import RunError
from training.files import replace_file
from training.losses import METRICS, make_loss
from training.recipes import Recipe

Row = dict[str, float]


@dataclass(frozen=True)
class Run:
    """What is trained, on what, and how: the contents of `run.json`.

    Attributes
    ----------
    name : str
        Of the model.
    kinds : tuple of str
        Of the pictures.
    source : str
        `generated`, or the name of the folder they came from.
    corpus_seed : int or None
        Of generated pictures.
    epochs : int
    recipe : Recipe
    pictures : int or None
        In all splits together; None until the corpus is read.
    corpus_digest : str or None
        Of all pictures together; None until the corpus is read.
    """

    name: str
    kinds: tuple[str, ...]
    source: str
    corpus_seed: int | None
    epochs: int
    recipe: Recipe
    pictures: int | None = None
    corpus_digest: str | None = None

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read a run folder's `run.json`.

        Raises
        ------
        RunError
            When there is none.
        """
        try:
            fields = json.loads((folder / "run.json").read_text())
        except FileNotFoundError:
            raise RunError(f"no training was started in {folder}: run.json is missing") from None
        fields["kinds"] = tuple(fields["kinds"])
        return cls(**{**fields, "recipe": Recipe(**fields["recipe"])})


def fit(run: Run, corpus: list[Path], folder: Path) -> None:
    """Train a model, or go on where its run folder stops.

    Parameters
    ----------
    run : Run
    corpus : list of Path
        Folders of pictures.
    folder : Path
        The run folder; made when missing.

    Raises
    ------
    RunError
        When the folder holds a run with other choices.
    CorpusError
        When the folders cannot serve as a corpus.
    """
    splits = load_splits(corpus, run.recipe.side)
    _claim_folder(replace(run, pictures=splits.count, corpus_digest=splits.digest), folder)
    book = _claim_book(splits.train, run.recipe.book_seed, folder)
    trainer = _build_trainer(run, len(book), steps_per_epoch(splits.train, run.recipe.batch_size))
    progress = _Progress(run.name, folder)
    first_epoch = progress.restore(trainer)
    if first_epoch < run.epochs:
        _fit_epochs(run, splits, book, trainer, progress, first_epoch)
    if not (folder / "test.json").exists():
        _test_best(run, splits.test, book, trainer, folder)


def load_best(folder: Path) -> keras.Model:
    """Return the network of a run with the weights of its best epoch."""
    network = find_architecture(Run.load(folder).recipe.architecture).build(len(load_book(folder)))
    network.load_weights(folder / "best.weights.h5")
    return network


def load_book(folder: Path) -> Book:
    """Return the palette book of a run."""
    return Book.load(folder / "book.npz")


def read_test_metrics(folder: Path) -> Row:
    """Return what the best epoch reached on the test split.

    Raises
    ------
    RunError
        When the training is not finished.
    """
    try:
        metrics: Row = json.loads((folder / "test.json").read_text())
    except FileNotFoundError:
        raise RunError(f"the training in {folder} is not finished: start it again") from None
    return metrics


def read_history(folder: Path) -> list[Row]:
    """Read a run's `history.csv`: a dict of numbers for each finished epoch."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def best_row(history: list[Row]) -> Row:
    """Return the epoch with the lowest validation loss."""
    return min(history, key=lambda row: row["val_loss"])


class Trainer(keras.Model):  # type: ignore[misc]
    """A network under training: adds loss, metrics and averages of the weights to it.

    The averages, over the last hundreds of steps, are what is validated and kept:
    they lie nearer to where the training is going than its last step.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by
       Averaging", 1992.
    """

    def __init__(self, recipe: Recipe, book_size: int) -> None:
        super().__init__()
        architecture = find_architecture(recipe.architecture)
        self.network = network = architecture.build(book_size)
        self._stride = architecture.output_stride
        self._chroma_loss = make_loss(recipe)
        self._means = {name: keras.metrics.Mean(name) for name in METRICS}
        self._momentum = recipe.average_momentum
        self.averages = [
            keras.Variable(weight, trainable=False) for weight in network.trainable_variables
        ]

    def train_step(self, data: Any) -> Any:
        """Take a step, and let the averages follow."""
        logs = super().train_step(data)
        steps = ops.cast(self.optimizer.iterations, "float32")
        # The first averages are of few steps, or they would be of the random start.
        momentum = ops.minimum(self._momentum, steps / (steps + 10))
        for average, weight in zip(self.averages, self.network.trainable_variables, strict=True):
            average.assign(weight + momentum * (average - weight))
        return logs

    def exchange_averages(self) -> None:
        """Put the averages in the place of the weights, and these in theirs."""
        for average, weight in zip(self.averages, self.network.trainable_variables, strict=True):
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)

    def call(self, given: dict[str, Any], training: bool = False) -> Any:
        """Predict from as much of what is given as the network takes."""
        wanted = [given[tensor.name] for tensor in self.network.inputs]
        return self.network(wanted, training=training)

    def compute_loss(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Apply the loss of the recipe to the outputs as a whole."""
        del x, sample_weight, training
        return self._chroma_loss(self._shrink(y), y_pred)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update and return the running means."""
        del x, sample_weight
        truth = self._shrink(y)
        for name, metric in METRICS.items():
            self._means[name].update_state(metric(truth, y_pred))
        return self.get_metrics_result()

    def _shrink(self, truth: dict[str, Any]) -> dict[str, Any]:
        """Bring the true chroma to the size of the predicted one."""
        return {**truth, "chroma": ops.average_pool(truth["chroma"], self._stride)}


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes down each finished epoch, so that a killed run loses none.

    `latest.npz` is written last: what the other files know beyond it belongs to
    an epoch that will be trained again, with the same result.
    """

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__()
        self._name = name
        self._folder = folder
        self._history: list[Row] = []
        self._epoch_start = 0.0

    def restore(self, trainer: Trainer) -> int:
        """Bring the trainer to the end of the last finished epoch; return the next one."""
        path = self._folder / "latest.npz"
        if not path.exists():
            return 0
        with np.load(path) as latest:
            first_epoch = int(latest["epochs"])
            for index, variable in enumerate(_state(trainer)):
                variable.assign(latest[f"variable_{index}"])
        self._history = read_history(self._folder)[:first_epoch]
        return first_epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        del epoch, logs
        self._epoch_start = time.monotonic()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        del logs
        self.model.exchange_averages()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.monotonic() - self._epoch_start
        row = {"epoch": float(epoch + 1), **(logs or {}), "seconds": seconds}
        self._history.append(row)
        self._write_history()
        if best_row(self._history) is row:
            with replace_file(self._folder / "best.weights.h5") as path:
                self.model.network.save_weights(path)
        self.model.exchange_averages()  # the validation, just before, put them in place
        draw_curves(self._history, self._name, self._folder / "curves.png")
        with replace_file(self._folder / "latest.npz") as path:
            state = {f"variable_{i}": v.numpy() for i, v in enumerate(_state(self.model))}
            np.savez(path, epochs=epoch + 1, **state)

    def _write_history(self) -> None:
        with (
            replace_file(self._folder / "history.csv") as path,
            path.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=list(self._history[0]))
            writer.writeheader()
            writer.writerows(self._history)


def _state(trainer: Trainer) -> list[Any]:
    """All that a training carries from one epoch to the next, in a stable order."""
    return [*trainer.network.variables, *trainer.averages, *trainer.optimizer.variables]


def _claim_folder(run: Run, folder: Path) -> None:
    """Write `run.json`, or make sure that the one there says the same."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    if not path.exists():
        with replace_file(path) as new_path:
            new_path.write_text(json.dumps(asdict(run), indent=2) + "\n")
        return
    started = asdict(Run.load(folder))
    differing = [key for key, value in asdict(run).items() if started[key] != value]
    if differing:
        received = ", ".join(f"{key} {getattr(run, key)!r}" for key in differing)
        there = ", ".join(f"{key} {started[key]!r}" for key in differing)
        raise RunError(
            f"{folder} holds a training with {there}. Received: {received}. "
            "Continue with the same choices, or give another folder."
        )


def _claim_book(train: Split, seed: int, folder: Path) -> Book:
    """Make the book from the training split, once."""
    if not (folder / "book.npz").exists():
        with replace_file(folder / "book.npz") as path:
            Book.make(train.palettes, train.levels, seed=seed).save(path)
    return load_book(folder)


def _build_trainer(run: Run, book_size: int, steps: int) -> Trainer:
    """Build network and optimizer from the recipe, seeded."""
    recipe = run.recipe
    keras.utils.set_random_seed(recipe.seed)
    trainer = Trainer(recipe, book_size)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 100,
        warmup_target=recipe.learning_rate,
        warmup_steps=min(steps, 300),
        decay_steps=max(1, run.epochs * steps - min(steps, 300)),
    )
    trainer.compile(keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, clipnorm=10.0))
    trainer.optimizer.build(trainer.network.trainable_variables)
    return trainer


def _fit_epochs(
    run: Run,
    splits: Splits,
    book: Book,
    trainer: Trainer,
    progress: _Progress,
    first_epoch: int,
) -> None:
    recipe = run.recipe
    trainer.fit(
        training_batches(splits.train, book, recipe, first_epoch, run.epochs),
        validation_data=plain_batches(splits.validation, book, recipe.batch_size),
        initial_epoch=first_epoch,
        epochs=run.epochs,
        steps_per_epoch=steps_per_epoch(splits.train, recipe.batch_size),
        callbacks=[progress],
        shuffle=False,  # the stream is in the order that a resumed training repeats
    )


def _test_best(run: Run, test: Split, book: Book, trainer: Trainer, folder: Path) -> None:
    """Measure the best epoch on pictures that chose neither weights nor epoch."""
    trainer.network.load_weights(folder / "best.weights.h5")
    batches = plain_batches(test, book, run.recipe.batch_size)
    metrics = trainer.evaluate(batches, return_dict=True, verbose=0)
    with replace_file(folder / "test.json") as path:
        path.write_text(json.dumps(metrics, indent=2) + "\n")
