"""Traefik's configuration: that its parts name each other, and fit the service's limits."""

from __future__ import annotations

import yaml

from service.settings import Settings
from tests.deploy.files import DEPLOY, ROOT

STATIC = yaml.safe_load((DEPLOY / "traefik" / "traefik.yml").read_text())
HTTP = yaml.safe_load((DEPLOY / "traefik" / "replicas.yml").read_text())["http"]


def test_file_of_replicas_is_read() -> None:
    assert ROOT / STATIC["providers"]["file"]["filename"] == DEPLOY / "traefik" / "replicas.yml"


def test_routers_name_what_there_is() -> None:
    for router in HTTP["routers"].values():
        assert router["service"] in HTTP["services"]
        assert set(router.get("middlewares", ())) <= set(HTTP["middlewares"])
    for service in HTTP["services"].values():
        assert service["loadBalancer"]["serversTransport"] in HTTP["serversTransports"]


def test_limits_are_a_little_above_those_of_the_service() -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    uploads = HTTP["middlewares"]["whole-uploads"]["buffering"]["maxRequestBodyBytes"]
    timeouts = HTTP["serversTransports"]["patient"]["forwardingTimeouts"]

    assert defaults["max_upload_bytes"] < uploads < defaults["max_upload_bytes"] * 1.1
    assert defaults["request_timeout_s"] < int(timeouts["responseHeaderTimeout"].rstrip("s"))
    assert "middlewares" not in HTTP["routers"]["archives"]
