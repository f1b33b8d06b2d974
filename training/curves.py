"""Loss and accuracy over the epochs, as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.files import replace_file


def draw_curves(history: list[dict[str, float]], name: str, path: Path) -> None:
    """Draw loss and accuracy, for training and validation, side by side.

    Parameters
    ----------
    history : list of dict
        Rows of `history.csv`.
    name : str
        Of the model, for the title.
    path : Path
        The PNG to write.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(name.upper())
    epochs = [row["epoch"] for row in history]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label in ((quantity, "training"), (f"val_{quantity}", "validation")):
            axes.plot(epochs, [row[key] for row in history], label=label, marker=".")
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    with replace_file(path) as new_path:
        figure.savefig(new_path, dpi=100)
