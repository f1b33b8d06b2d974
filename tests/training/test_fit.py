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
from training.fit import Run, best_row, fit, load_best, read_history, read_test_metrics


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


def test_fit_curves_are_a_picture(finished_run: Path) -> None:
    with Image.open(finished_run / "curves.png") as curves:
        assert curves.format == "PNG"
        assert min(curves.size) >= 400


def test_fit_finished_run_is_left_alone(finished_run: Path, corpus: Path) -> None:
    before = (finished_run / "best.weights.h5").stat().st_mtime_ns
    fit(RUN, [corpus], finished_run)
    assert (finished_run / "best.weights.h5").stat().st_mtime_ns == before


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
    assert isinstance(network, keras.Model)
    lightness, palette = np.full((1, 64, 64, 1), 50, np.float32), np.ones((1, 3, 4), np.float32)
    assert np.isfinite(network([lightness, palette])["chroma"]).all()


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
