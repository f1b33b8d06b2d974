"""What can go wrong in training that its user can mend.

    TrainingError
    ├── CorpusError    a folder cannot serve as, or take, a corpus
    ├── RunError       a run folder cannot be used
    └── ExportError    an artifact is not fit to be served

Each message names what was received and what is accepted.
"""

from __future__ import annotations


class TrainingError(Exception):
    """The base of all."""


class CorpusError(TrainingError):
    """A folder cannot serve as a corpus, or cannot take one."""


class RunError(TrainingError):
    """A run folder cannot be used."""


class ExportError(TrainingError):
    """An artifact is not fit to be served; nothing was written."""
