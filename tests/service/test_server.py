"""A real process under overload, slow and lost clients, SIGTERM and SIGKILL."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import socket
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.processes import (
    Service,
    form_request,
    large_picture,
    read_to_end,
    running_service,
    wait_until,
)

SMALL = large_picture(64)
MIDDLE = large_picture(1000)
LARGE = large_picture(2500)
"""Takes the better part of a second, or more."""


@pytest.fixture(scope="module")
def service(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with little patience: one slot, and one place in line."""
    with running_service(
        models_dir,
        tmp_path_factory.mktemp("log") / "service.log",
        queue_length=1,
        header_timeout_s=0.6,
        upload_timeout_s=0.6,
        max_header_bytes=20_000,
        max_upload_bytes=1_000_000,
        saturated_after_s=0,
        max_total_answer_bytes=32_000_000,
    ) as running:
        yield running


def split_answer(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and problem of an answer as it came over the wire."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status_line.split()[1]), headers, json.loads(body)


# Connections


def test_connection_without_request_is_closed(service: Service) -> None:
    with service.connect() as connection:
        status, headers, problem = split_answer(read_to_end(connection))

    assert status == 408
    assert headers["content-type"] == "application/problem+json"
    assert problem == {
        "type": "about:blank",
        "title": "Request Timeout",
        "status": 408,
        "detail": "Address and headers must be there within 0.6 s. "
        "Received: a part of them, or nothing",
    }


def test_connection_with_trickling_headers_is_closed(service: Service) -> None:
    with service.connect() as connection:
        start = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

        assert time.monotonic() - start < 2


def test_connection_kept_alive_with_trickle_is_closed(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in connection.recv(1 << 16)
        start = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - start < 5:
                connection.sendall(b"\r\n")
                time.sleep(0.02)

        assert time.monotonic() - start < 4


def test_connection_with_endless_headers_is_closed(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 30_000)
        status, _, problem = split_answer(read_to_end(connection))

    assert status == 431
    assert problem["detail"] == (
        "Address and headers must have at most 20,000 bytes. Received: more"
    )


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_headers_in_one_piece_are_limited_as_well(service: Service, method: str) -> None:
    with service.connect() as connection:
        fields = b"X: " + b"x" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}"
        connection.sendall(f"{method} /health/live HTTP/1.1\r\n".encode() + fields)
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 431")
    assert b"connection: close" in head
    assert (b"at most 20,000 bytes" in body) == (method != "HEAD")


def test_headers_up_to_the_limit_are_taken(service: Service) -> None:
    # Beside those that the client sends by itself.
    response = httpx.get(f"{service.url}/health/live", headers={"X": "x" * 19_500}, timeout=10)

    assert response.status_code == 200


def test_connection_that_is_not_http_answers_problem(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        status, headers, problem = split_answer(read_to_end(connection))

    assert (status, headers["connection"]) == (400, "close")
    assert problem["detail"] == "Invalid HTTP request received."


def test_post_of_client_that_would_rather_speak_http_2_is_answered(service: Service) -> None:
    upgrade = (
        b"Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
    )
    with service.connect() as connection:
        connection.sendall(form_request(SMALL).replace(b"Host:", upgrade + b"Host:"))
        answer = read_to_end(connection)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\ncontent-type: image/png" in answer


# Uploads


def test_post_byte_by_byte_is_answered_408_and_closed(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(form_request(SMALL, announced=100_000))
        start = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - start < 0.9:
                connection.sendall(b"x")
                time.sleep(0.1)
        status, headers, problem = split_answer(read_to_end(connection))

    assert time.monotonic() - start < 5
    assert (status, headers["connection"]) == (408, "close")
    assert "x-request-id" in headers
    assert problem["type"] == "/problems/upload-timeout"
    assert problem["detail"].startswith(
        "A body must be complete within 0.6 s and a second for each 10,000 bytes. Received: "
    )


def test_post_that_stops_leaves_place_to_others(service: Service) -> None:
    stalled = [service.connect() for _ in range(8)]
    for connection in stalled:
        connection.sendall(form_request(SMALL, announced=100_000))

    assert service.post(SMALL).status_code == 200
    for connection in stalled:
        connection.close()


def test_post_too_large_body_is_told_so_while_it_is_sent(service: Service) -> None:
    # Over a socket, as clients are that do not listen before they have sent all.
    with service.connect() as connection:
        connection.sendall(form_request(b"", announced=8_000_000))
        connection.sendall(bytes(7_000_000))
        status, headers, problem = split_answer(read_to_end(connection))

    assert (status, headers["connection"]) == (413, "close")
    assert problem["received"] == 8_000_000


# Overload


def test_post_more_than_line_holds_is_turned_away_at_once(service: Service) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: (service.post(LARGE), time.monotonic()), range(8)))

    turned_away = [answer for answer, _ in answers if answer.status_code == 503]
    assert Counter(answer.status_code for answer, _ in answers) == {
        200: 8 - len(turned_away),
        503: len(turned_away),
    }
    # One in work, one in line; more only if the first were done already.
    assert len(turned_away) >= 4
    first_picture = min(at for answer, at in answers if answer.status_code == 200)
    assert min(at for answer, at in answers if answer.status_code == 503) < first_picture
    problem = turned_away[0].json()
    retry_after = int(turned_away[0].headers["Retry-After"])
    assert 1 <= retry_after <= 60
    assert problem == {
        "type": "/problems/overloaded",
        "title": "Overloaded",
        "status": 503,
        "detail": "At most 2 requests are taken on at a time. "
        f"Received: one more; come back in {retry_after} s",
        "accepted": 2,
    }
    assert service.post(SMALL).status_code == 200


def test_get_health_under_overload_is_live_and_not_ready(service: Service) -> None:
    with ThreadPoolExecutor(6) as clients:
        answers = [clients.submit(service.post, LARGE) for _ in range(6)]
        wait_until(lambda: service.get("/health/ready").status_code == 503)
        start = time.monotonic()
        live = service.get("/health/live")
        seconds = time.monotonic() - start

    assert live.status_code == 200
    assert seconds < 1
    assert {answer.result().status_code for answer in answers} == {200, 503}
    assert service.get("/health/ready").status_code == 200


def test_client_that_goes_away_frees_its_place(service: Service) -> None:
    lost = [service.connect() for _ in range(2)]
    for connection in lost:
        connection.sendall(form_request(LARGE))
    wait_until(lambda: service.post(SMALL).status_code == 503)

    for connection in lost:
        connection.close()

    wait_until(lambda: service.post(SMALL).status_code == 200)
    assert "Traceback" not in service.log.read_text()


# Slow clients


def batch_request(service: Service, count: int) -> bytes:
    """Ask for an archive of pictures of 3 MB each, as clients do that know of no chunks."""
    files = [("files", ("a.png", MIDDLE))] * count
    request = httpx.Request("POST", f"{service.url}/colorize/batch?format=bmp", files=files)
    head = f"POST {request.url.raw_path.decode()} HTTP/1.0\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return head.encode() + b"\r\n" + request.read()


def test_archives_that_are_taken_slowly_keep_no_turn_from_others(service: Service) -> None:
    request = batch_request(service, 5)
    with contextlib.ExitStack() as connections:
        # More than there are slots and places in line together.
        slow: list[socket.socket] = []
        for _ in range(3):
            # Each comes when it has something to say: the service waits for no headers.
            slow.append(connections.enter_context(service.connect()))
            slow[-1].sendall(request)
            # It has begun.
            assert slow[-1].recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        fast = connections.enter_context(service.connect())
        fast.sendall(request)
        answer = read_to_end(fast)
        # In the end they have the same, made in several turns.
        assert [read_to_end(connection)[-20:] for connection in slow] == [answer[-20:]] * 3

    head, _, archive = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert files.testzip() is None
        assert len(files.namelist()) == 6


# Shutdown


def test_sigterm_finishes_work_and_refuses_more(models_dir: Path, tmp_path: Path) -> None:
    with running_service(models_dir, tmp_path / "log") as service, service.connect() as connection:
        connection.sendall(form_request(LARGE))
        wait_until(lambda: "colorize_slots_busy 1.0" in service.get("/metrics").text)
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_refused(service))

        assert read_to_end(connection).startswith(b"HTTP/1.1 200 OK")
        service.process.wait(10)


def test_sigterm_does_not_wait_longer_than_configured(models_dir: Path, tmp_path: Path) -> None:
    with (
        running_service(models_dir, tmp_path / "log", shutdown_timeout_s=0.2) as service,
        contextlib.ExitStack() as connections,
    ):
        # One slot: however fast the machine is, not all of them are done in time.
        clients = [connections.enter_context(service.connect()) for _ in range(10)]
        for client in clients:
            client.sendall(form_request(LARGE))
        wait_until(lambda: "colorize_queue_depth 9.0" in service.get("/metrics").text)
        start = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(10)

        assert time.monotonic() - start < 2
        status, _, problem = split_answer(read_to_end(clients[-1]))
    assert status == 503
    assert problem == {
        "type": "/problems/shutting-down",
        "title": "Shutting down",
        "status": 503,
        "detail": "The service is being stopped. Send the request again.",
    }
    assert "Traceback" not in service.log.read_text()


def test_sigkill_leaves_nothing_behind(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with (
        running_service(models_dir, tmp_path / "log") as service,
        service.connect() as half_sent,
    ):
        # More than is kept in memory.
        half_sent.sendall(form_request(bytes(3_000_000), announced=4_000_000))
        wait_until(lambda: str(scratch) in open_files(service))
        service.process.kill()
        service.process.wait()
        with contextlib.suppress(ConnectionResetError):
            assert read_to_end(half_sent) == b""

    assert list(scratch.iterdir()) == []


def open_files(service: Service) -> str:
    folder = Path(f"/proc/{service.process.pid}/fd")
    return " ".join(str(link.readlink()) for link in folder.iterdir() if link.is_symlink())


def is_refused(service: Service) -> bool:
    try:
        httpx.get(service.url + "/health/live", timeout=2)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False
    return False


def test_connections_beyond_limit_are_turned_away(models_dir: Path, tmp_path: Path) -> None:
    with running_service(models_dir, tmp_path / "log", max_connections=4) as service:
        time.sleep(0.1)
        held = [service.connect() for _ in range(4)]
        with service.connect() as connection:
            status, headers, problem = split_answer(read_to_end(connection))

        assert (status, headers["retry-after"]) == (503, "2")
        assert problem["detail"] == (
            "At most 4 connections are taken on at a time. Received: one more; come back in 2 s"
        )
        for each in held:
            each.close()
        wait_until(lambda: service.get("/health/live").status_code == 200)


def test_process_that_cannot_listen_says_so(models_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        log = tmp_path / "log"
        with (
            pytest.raises(AssertionError, match="address already in use"),
            running_service(models_dir, log, port=taken.getsockname()[1]),
        ):
            pass
