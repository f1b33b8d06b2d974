"""The proxies' configurations, as nginx itself reads them."""

from __future__ import annotations

import pytest

from tests.deploy.files import DEPLOY, foreign_tool, run


@pytest.mark.parametrize("name", ["replicas.conf"])
def test_nginx_takes_configuration(name: str) -> None:
    run(foreign_tool("nginx"), "-t", "-q", "-c", DEPLOY / "nginx" / name)
