"""Fixtures of a service whose models can be steered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from service.app import create_app
from service.colorizer import Colorizer, Registry
from service.settings import Settings
from tests.conftest import TestClient, write_model
from tests.steerable import write_steerable_model


@pytest.fixture(scope="session")
def steerable_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """V1, V2 and V12, which take everything, and `plain`, which takes nothing."""
    folder = tmp_path_factory.mktemp("steerable")
    for name in ("v1", "v2", "v12"):
        write_steerable_model(folder, name)
    write_model(folder, "plain")
    return folder


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
