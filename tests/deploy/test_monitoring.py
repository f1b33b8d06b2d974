"""Dashboard and alerts: what they ask for is what the service shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from fastapi.testclient import TestClient
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.settings import Settings
from tests.conftest import write_model
from tests.deploy.files import DEPLOY, foreign_tool, run

DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "colorize.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
PROMETHEUS = DEPLOY / "prometheus" / "prometheus.yml"

OF_PROMETHEUS = {"up": {"job", "instance"}}
Encode = Callable[..., bytes]
ADDED_LABELS = {"job", "instance"}
"""By whoever collects them."""


def dashboard_queries() -> list[str]:
    queries = [
        target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
    ]
    for variable in DASHBOARD["templating"]["list"]:
        (series,) = re.fullmatch(r"label_values\((.+), \w+\)", variable["definition"]).groups()
        queries.append(series)
    # What Grafana puts in their place.
    return [query.replace("$__rate_interval", "40s") for query in queries]


def alert_queries() -> list[str]:
    return [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


def selectors(query: str) -> Iterator[promql_parser.VectorSelector]:
    """List the series that a query takes, at any depth."""

    def walk(node: Any) -> Iterator[promql_parser.VectorSelector]:
        match node:
            case promql_parser.VectorSelector():
                yield node
            case promql_parser.MatrixSelector():
                yield node.vector_selector
            case promql_parser.AggregateExpr() | promql_parser.ParenExpr():
                yield from walk(node.expr)
            case promql_parser.BinaryExpr():
                yield from walk(node.lhs)
                yield from walk(node.rhs)
            case promql_parser.Call():
                for argument in node.args:
                    yield from walk(argument)
            case promql_parser.NumberLiteral():
                pass
            case _:
                raise AssertionError(f"{type(node).__name__} in {query}")

    yield from walk(promql_parser.parse(query))


def groupings(query: str) -> Iterator[tuple[set[str], set[str]]]:
    """List by which labels a query adds up, each with the names of the series in it."""

    def walk(node: Any) -> Iterator[tuple[set[str], set[str]]]:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            inside = {selector.name for selector in selectors(str(node.expr))}
            yield set(node.modifier.labels), inside
        for part in ("expr", "lhs", "rhs"):
            if hasattr(node, part):
                yield from walk(getattr(node, part))
        for argument in getattr(node, "args", ()):
            yield from walk(argument)

    yield from walk(promql_parser.parse(query))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, encode: Encode) -> dict[str, set[str]]:
    """Name the series that a service shows, each with its labels."""
    models_dir = tmp_path_factory.mktemp("models")
    write_model(models_dir, "tiny")
    app = create_app(Settings(models_dir=models_dir, default_model="tiny"))
    with TestClient(app) as client:
        client.get("/health/ready")
        picture = encode(Image.new("L", (8, 8)), "PNG")
        for upload in (picture, b"no picture"):
            client.post("/colorize", files={"file": ("upload", upload)})
        metrics = client.get("/metrics").text
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


@pytest.mark.parametrize("query", dashboard_queries() + alert_queries())
def test_query_names_series_and_labels_that_there_are(
    query: str, shown: dict[str, set[str]]
) -> None:
    found = list(selectors(query))
    assert found
    for selector in found:
        labels = OF_PROMETHEUS.get(selector.name) or shown[selector.name] | ADDED_LABELS
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels


@pytest.mark.parametrize(
    "query", [query for query in dashboard_queries() + alert_queries() if " by " in query]
)
def test_query_adds_up_by_labels_that_there_are(query: str, shown: dict[str, set[str]]) -> None:
    found = list(groupings(query))
    assert found
    for labels, series in found:
        for name in series:
            assert labels <= (OF_PROMETHEUS.get(name) or shown[name] | ADDED_LABELS)


def test_legends_name_labels_that_are_left() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            named = set(re.findall(r"{{\s*(\w+)\s*}}", target.get("legendFormat", "")))
            query = target["expr"].replace("$__rate_interval", "40s")
            (left, *_), *_ = [*groupings(query), (named, set())]
            assert named <= left, panel["title"]


def test_dashboard_shows_every_metric_of_ours(shown: dict[str, set[str]]) -> None:
    asked = {selector.name for query in dashboard_queries() for selector in selectors(query)}
    ours = {
        name for name in shown if name.startswith("colorize_") and not name.endswith("_created")
    }

    # Of a histogram, some of its parts will do.
    assert {strip(name) for name in ours} == {strip(name) for name in asked if "colorize" in name}


def strip(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name)


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_panels_have_numbers_of_their_own() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_dashboard_asks_the_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )
    (source,) = provisioned["datasources"]
    asked = re.findall(r'"uid": "(\w+)"', json.dumps(DASHBOARD))
    assert set(asked) == {source["uid"], DASHBOARD["uid"]}


def test_prometheus_takes_configuration(tmp_path: Path) -> None:
    promtool = foreign_tool("promtool")
    # It wants to see the secret.
    key = tmp_path / "key"
    key.touch()
    configuration = PROMETHEUS.read_text().replace("/run/secrets/metrics_key", str(key))
    copy = tmp_path / "prometheus.yml"
    copy.write_text(configuration)
    (tmp_path / "alerts.yml").write_text((DEPLOY / "prometheus" / "alerts.yml").read_text())

    run(promtool, "check", "config", copy)
