"""The engine on Ray Data: pictures of a store, coloured by all machines of a cluster.

Pages of names stream from a listing to workers, and what became of them to this
process; pictures go from store to worker and back, never through here. Ray holds the
listing back when workers are busy, starts workers again that died, and gives them
their pages again. Names are the same each time and answers appear whole, so that a
page that is coloured twice leaves what one would.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from service.bulk.engine import EngineError
from service.bulk.listing import Plan, find_folders, list_pages
from service.bulk.local import read_look
from service.bulk.manifest import FAILED, Known, Manifest, describe_order
from service.bulk.order import Order
from service.bulk.places import Place, open_place
from service.bulk.run import Outcome
from service.bulk.tasks import TaskError
from service.bulk.worker import Finished, Job, LocalMaker, Worker
from service.colorizer import list_models, read_card, require_inputs
from service.images import Limits
from service.settings import Settings, available_cores

# Ray reads these when it is loaded.
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
# All that its nodes want to say here, and on standard output.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

PAGE = "page"
"""The one column: a page, packed."""
PAGES_AHEAD = 2
"""In each worker: one in work, one that it goes on with at once."""
MOST_RESTARTS = 100
"""Of each worker: machines go and come, but not for ever."""
STORE_BYTES = 128 * 1024 * 1024
"""Of Ray's memory for objects on a machine of our own: they are names."""


class Spread:
    """A run of a cluster over all pictures of a place.

    Parameters
    ----------
    source : str
        Where pictures are: a folder, or a URL that fsspec knows.
    out : str
        Where answers go; may be the same.
    order : Order
    settings : Settings
        Where models are.

    Raises
    ------
    ColorizeError, OSError, TaskError
        When nothing can be begun.
    """

    def __init__(self, source: str, out: str, order: Order, settings: Settings) -> None:
        folder = settings.models_dir
        models = list_models(folder)
        cards = [read_card(folder / f"{name}.onnx") for name in order.models]
        look = read_look(order, Limits(max_pixels=settings.max_picture_pixels))
        for card in cards:
            require_inputs(card, look.needs)
        self._digests = {card.name: card.sha256 for card in cards}
        self._plan = Plan(_open(source), _open(out), order, tuple(models))
        self._job = Job(self._plan, LocalMaker(settings, order, look, self._digests))
        self._count = Count(self._plan)
        if not any(pictures for _, pictures in find_folders(self._plan)):
            raise TaskError(f"no pictures in {source}")

    @property
    def failures(self) -> str:
        """Where failures are noted."""
        return self._plan.out.show(FAILED)

    def total(self) -> int | None:
        """Tell how many pictures there are; None until they are counted."""
        return self._count.total

    def color(
        self, address: str | None, jobs: int | None, *, is_forced: bool
    ) -> Generator[Outcome]:
        """Colour them.

        Parameters
        ----------
        address : str or None
            Of a cluster; by default one is started, of this machine's cores.
        jobs : int or None
            Workers, of a core each; by default one for each core.
        is_forced : bool
            Whether what earlier runs did is done again.

        Yields
        ------
        Outcome
            Of each picture, as soon as its page is done.

        Raises
        ------
        EngineError
            When Ray cannot begin, or go on. What is coloured is noted.
        OSError, TaskError
            When the place of the answers cannot be used.
        """
        plan = self._plan
        manifest = Manifest(plan.out)
        known = manifest.begin(describe_order(plan.order, self._digests), is_forced=is_forced)
        self._count.start()
        try:
            with joined(address):
                for finished in stream(self._job, known, jobs):
                    picture, outcome = finished.picture, finished.outcome
                    if not picture.is_noted or picture.needs_work:
                        manifest.note(outcome, picture.size, picture.mark)
                    yield outcome
                    if outcome.is_last:
                        return
        finally:
            self._count.stop()
            manifest.write()


def _open(text: str) -> Place:
    try:
        return open_place(text)
    except (ImportError, ValueError) as error:
        raise TaskError(f"{text}: {error}") from error


class Count:
    """Counts the pictures of a plan, beside the work; for the bar.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._is_wanted = True
        self.total: int | None = None

    def start(self) -> None:
        """Begin to count."""
        threading.Thread(target=self._count, daemon=True).start()

    def stop(self) -> None:
        """Nobody needs to know any more."""
        self._is_wanted = False

    def _count(self) -> None:
        total = 0
        # Whoever lists them for work tells what is wrong.
        with suppress(Exception):
            for _, pictures in find_folders(self._plan):
                total += len(pictures)
                if not self._is_wanted:
                    return
            self.total = total


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Join a cluster, or start one on this machine; leave it, or end it, after the block.

    Raises
    ------
    EngineError
        When there is none.
    """
    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            # And not one that somebody else has left running here.
            "address": "local",
            "num_cpus": available_cores(),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        with _muted():
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:
        # Of any kind: one that takes too long to start is a plain one.
        ray.shutdown()
        raise fault(f"no Ray at {address or 'this machine'}", error) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _muted() -> Iterator[None]:
    """Keep what Ray's own programs say from standard error."""
    standard_error = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


def stream(job: Job, known: Known, jobs: int | None) -> Iterator[Finished]:
    """Colour pictures on the cluster that was joined.

    Yields
    ------
    Finished
        Each, in the order of pages that are done.

    Raises
    ------
    EngineError
        When Ray cannot go on.
    """
    try:
        count = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield from _stream(job, ray.put(known), count)
    except (ray.exceptions.RayError, RuntimeError) as error:
        raise fault("Ray cannot go on", error) from error


def _stream(job: Job, known: Any, count: int) -> Iterator[Finished]:
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A page is a task: nothing is gathered on the way.
    context.target_min_block_size = context.target_max_block_size = 1
    with warnings.catch_warnings():
        # About names of options, some of which only the older ones reach.
        warnings.simplefilter("ignore", DeprecationWarning)
        pages = ray.data.read_datasource(
            Listing(job.plan, known), override_num_blocks=1, num_cpus=0
        )
        results = pages.map_batches(
            RayWorker,
            fn_constructor_args=(job,),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(
                size=count, max_tasks_in_flight_per_actor=PAGES_AHEAD
            ),
            num_cpus=1,
            max_restarts=MOST_RESTARTS,
        )
    for table in results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for page in table[PAGE].to_pylist():
            yield from pickle.loads(page)  # noqa: S301 - a worker of ours packed it


class Listing(Datasource):  # type: ignore[misc]
    """Pages of pictures, for Ray Data.

    Parameters
    ----------
    plan : Plan
    known : ObjectRef of Known
    """

    def __init__(self, plan: Plan, known: Any) -> None:
        super().__init__()
        self._plan = plan
        self._known = known

    def estimate_inmemory_data_size(self) -> int | None:
        """Say nothing: nobody knows before it is listed."""
        return None

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
        """Make the task that lists, a page after the other."""
        plan, known = self._plan, self._known

        def read() -> Iterator[pa.Table]:
            for page in list_pages(plan, ray.get(known)):
                yield _pack(page)

        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(read, unknown)]


class RayWorker:
    """A `Worker` that Ray starts, and starts again.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job) -> None:
        is_second = ray.get_runtime_context().was_current_actor_reconstructed
        self._worker = Worker(job, is_second=is_second)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Colour the pages of a table."""
        pages = [pickle.loads(page) for page in table[PAGE].to_pylist()]  # noqa: S301 - ours
        return _pack([finished for page in pages for finished in self._worker.color(page)])


def _pack(page: list[Any]) -> pa.Table:
    return pa.table({PAGE: pa.array([pickle.dumps(page)], pa.binary())})


def fault(what: str, error: BaseException) -> EngineError:
    """Say what Ray says, without its traces."""
    cause = error
    while (deeper := getattr(cause, "cause", None) or cause.__cause__) is not None:
        cause = deeper
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return EngineError({"title": "Ray failed", "detail": f"{what}: {lines[-1]}"})
