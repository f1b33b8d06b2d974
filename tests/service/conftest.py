"""Fixtures of a service whose models can be steered."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.datastructures import State

from service.app import create_app
from service.colorizer import Colorizer, Registry
from service.door import Door
from service.metrics import Metrics
from service.settings import Settings
from tests.conftest import TestClient
from tests.steerable import write_steerable_models


@pytest.fixture(scope="session")
def steerable_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """V1, V2 and V12, which take everything, and `plain`, which takes nothing."""
    return write_steerable_models(tmp_path_factory.mktemp("steerable"))


@pytest.fixture(scope="session")
def steerable(steerable_dir: Path) -> Colorizer:
    return Registry.load(steerable_dir, intra_op_threads=1).get("v12")


@pytest.fixture(scope="session")
def steerable_settings(settings: Settings, steerable_dir: Path) -> Settings:
    return settings.model_copy(update={"models_dir": steerable_dir})


@pytest.fixture(scope="session")
def steerable_app(steerable_settings: Settings) -> FastAPI:
    return create_app(steerable_settings)


@pytest.fixture(scope="session")
def steerable_client(steerable_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(steerable_app) as started:
        yield started


@pytest.fixture
def door() -> Door:
    """A door through which everybody comes: its application has not been started."""
    return Door(State(), Metrics())


@pytest.fixture(scope="session")
def server_url(settings: Settings, steerable_dir: Path) -> Iterator[str]:
    """The address of a real server, which takes pictures of any usual size."""
    limits = {"max_upload_bytes": 10_000_000, "max_picture_pixels": 10_000_000}
    app = create_app(settings.model_copy(update={"models_dir": steerable_dir, **limits}))
    with serving(app) as url:
        yield url


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve from a thread until the end of the block; gives the address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with samples and documents, in which files may be written."""
    for name in ("samples", "docs"):
        (tmp_path / name).symlink_to(Path(__file__).parents[2] / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
