"""Training: runs that are killed, continued, refused; what they leave behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import RUN
from training.errors import RunError
from training.fit import (
    Run,
    Trainer,
    best_row,
    fit,
    load_best,
    load_book,
    read_history,
    read_test_metrics,
)
from training.recipes import RECIPES

BOOK_SIZE = 3


def test_fit_leaves_a_whole_run_folder(finished_run: Path) -> None:
    assert {path.name for path in finished_run.iterdir()} == {
        "run.json",
        "book.npz",
        "history.csv",
        "best.weights.h5",
        "latest.npz",
        "curves.png",
        "test.json",
    }
    run = Run.load(finished_run)
    assert run.corpus_digest is not None
    assert run == replace(RUN, pictures=12, corpus_digest=run.corpus_digest)


def test_fit_history_has_a_row_for_each_epoch(finished_run: Path) -> None:
    history = read_history(finished_run)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history[0])
    assert all(0 <= row["val_accuracy"] <= 1 for row in history)
    assert all(0 < row["seconds"] < 600 for row in history)


def test_fit_curves_are_a_picture(finished_run: Path) -> None:
    with Image.open(finished_run / "curves.png") as curves:
        assert curves.format == "PNG"
        assert min(curves.size) >= 400


def test_fit_finished_run_is_left_alone(finished_run: Path, corpus: Path) -> None:
    before = (finished_run / "best.weights.h5").stat().st_mtime_ns
    fit(RUN, [corpus], finished_run)
    assert (finished_run / "best.weights.h5").stat().st_mtime_ns == before


@pytest.mark.usefixtures("eagerly")
def test_fit_killed_and_continued_equals_uninterrupted(
    finished_run: Path, corpus: Path, tmp_path: Path
) -> None:
    """SIGKILL as soon as the first epoch is on disk, in the middle of the second."""
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.training.conftest import RUN
        from training.fit import fit
        fit(RUN, [Path(sys.argv[1])], Path(sys.argv[2]))
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(corpus), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    while not (tmp_path / "latest.npz").exists():
        assert process.poll() is None, process.stderr.read().decode()
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(read_history(tmp_path)) < RUN.epochs

    fit(RUN, [corpus], tmp_path)

    expected, received = read_history(finished_run), read_history(tmp_path)
    assert [row["epoch"] for row in received] == [1, 2, 3]
    for expected_row, received_row in zip(expected, received, strict=True):
        assert received_row["val_loss"] == pytest.approx(expected_row["val_loss"], rel=1e-4)
        assert received_row["loss"] == pytest.approx(expected_row["loss"], rel=1e-4)
    with np.load(finished_run / "latest.npz") as whole, np.load(tmp_path / "latest.npz") as resumed:
        assert set(whole) == set(resumed)
        for name in whole:  # weights, their averages, and what the optimizer remembers
            # As a whole: where a gradient is rounding alone, so is the step that Adam takes.
            difference = np.linalg.norm(resumed[name] - whole[name])
            assert difference <= 0.1 * np.linalg.norm(whole[name]), name


def test_fit_other_choices_are_refused(finished_run: Path, corpus: Path) -> None:
    with pytest.raises(RunError, match=r"holds a training with epochs 3. Received: epochs 5"):
        fit(replace(RUN, epochs=5), [corpus], finished_run)


def test_fit_other_pictures_of_the_same_number_are_refused(
    finished_run: Path, corpus: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
    Image.new("RGB", (64, 64), "red").save(tmp_path / "0.png")
    with pytest.raises(RunError, match=r"holds a training with corpus_digest"):
        fit(RUN, [tmp_path], finished_run)


def test_load_best_predicts_with_the_best_weights(finished_run: Path) -> None:
    network = load_best(finished_run)
    given = [np.full((1, 64, 64, 1), 50), np.ones((1, 3, 4)), np.ones((1, 2, 5))]
    outputs = network([tensor.astype(np.float32) for tensor in given])
    assert np.isfinite(outputs["chroma"]).all()
    assert outputs["scores"].shape == (1, len(load_book(finished_run)))


@pytest.mark.usefixtures("eagerly")
def test_load_best_weights_are_the_averages(corpus: Path, tmp_path: Path) -> None:
    """Not those of the last step, which a run goes on from."""
    fit(replace(RUN, epochs=1), [corpus], tmp_path)
    network = load_best(tmp_path)
    with np.load(tmp_path / "latest.npz") as latest:
        values = [latest[f"variable_{n}"] for n in range(len(latest) - 1)]
    count = len(network.variables)
    last = dict(zip([v.path for v in network.variables], values[:count], strict=True))
    averages = values[count : count + len(network.trainable_variables)]
    for variable, average in zip(network.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable.numpy(), average)
    first = network.trainable_variables[0]
    assert not np.array_equal(first.numpy(), last[first.path])


def test_read_test_metrics_are_of_the_test_split(finished_run: Path) -> None:
    metrics = read_test_metrics(finished_run)
    assert set(metrics) == {"accuracy", "distance", "loss"}


def test_read_test_metrics_unfinished_training(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not finished"):
        read_test_metrics(tmp_path)


def test_load_best_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json is missing"):
        load_best(tmp_path)


def test_best_row_is_the_lowest_validation_loss() -> None:
    rows = [{"epoch": 1.0, "val_loss": 3.0}, {"epoch": 2.0, "val_loss": 1.0}]
    assert best_row(rows)["epoch"] == 2


def make_trainer(average_momentum: float) -> Trainer:
    keras.utils.set_random_seed(0)
    recipe = replace(RECIPES["standard"], average_momentum=average_momentum)
    trainer = Trainer(recipe, BOOK_SIZE)
    trainer.compile(keras.optimizers.SGD(0.01), run_eagerly=True)  # two steps in all
    return trainer


def weights_of(trainer: Trainer) -> list[np.ndarray]:
    return [weight.numpy() for weight in trainer.network.trainable_variables]


def averages_of(trainer: Trainer) -> list[np.ndarray]:
    return [average.numpy() for average in trainer.averages]


def take_step(trainer: Trainer) -> None:
    rng = np.random.default_rng(0)
    given = {
        "lightness": rng.uniform(0, 100, (1, 16, 16, 1)),
        "palette": rng.uniform((0, -50, -50, 0.1), (100, 50, 50, 1), (1, 3, 4)),
        "hints": rng.uniform((0, 0, -50, -50, 1), (1, 1, 50, 50, 1), (1, 4, 5)),
    }
    truth = {
        "chroma": rng.uniform(-50, 50, (1, 16, 16, 2)),
        "book_target": np.eye(1, BOOK_SIZE),
    }
    given, truth = (
        {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
        for tensors in (given, truth)
    )
    trainer.train_on_batch(given, truth)


@pytest.mark.parametrize(("momentum", "share"), [(0.998, 1 / 11), (0.05, 0.05), (0.0, 0.0)])
def test_trainer_averages_follow_the_weights(momentum: float, share: float) -> None:
    """After the first step, the average still has `share` of the start."""
    trainer = make_trainer(momentum)
    start = weights_of(trainer)
    take_step(trainer)
    for first, weight, average in zip(
        start, weights_of(trainer), averages_of(trainer), strict=True
    ):
        np.testing.assert_allclose(average, weight + share * (first - weight), atol=1e-6)
    assert not np.array_equal(start[0], weights_of(trainer)[0])


def test_trainer_exchange_averages_swaps_and_swaps_back() -> None:
    trainer = make_trainer(0.9)
    take_step(trainer)
    weights, averages = weights_of(trainer), averages_of(trainer)
    trainer.exchange_averages()
    for received, expected in ((weights_of(trainer), averages), (averages_of(trainer), weights)):
        for one, other in zip(received, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    trainer.exchange_averages()
    for one, other in zip(weights_of(trainer), weights, strict=True):
        np.testing.assert_array_equal(one, other)
