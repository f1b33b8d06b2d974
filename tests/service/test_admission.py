"""Slots run so many calls at a time, in the order in which they came."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive, Scope, Send

from service import admission
from service.admission import LEAVE_LINE, AdmissionMiddleware, Line, Slots
from service.errors import OverloadedError
from service.stopwatch import Stopwatch


def test_run_returns_result_of_call() -> None:
    with Slots(1) as slots:
        assert asyncio.run(slots.run(divmod, 7, 2)) == (3, 1)


def test_run_raises_error_of_call() -> None:
    with Slots(1) as slots, pytest.raises(ZeroDivisionError):
        asyncio.run(slots.run(divmod, 7, 0))


def test_run_keeps_to_number_of_slots() -> None:
    both_busy = threading.Barrier(2, timeout=10)
    lock = threading.Lock()
    busy = busiest = 0

    def occupy() -> None:
        nonlocal busy, busiest
        with lock:
            busy += 1
            busiest = max(busiest, busy)
        both_busy.wait()
        with lock:
            busy -= 1
        both_busy.wait()

    async def occupy_six_times() -> None:
        await asyncio.gather(*(slots.run(occupy) for _ in range(6)))

    with Slots(2) as slots:
        asyncio.run(occupy_six_times())

    assert busiest == 2


def test_run_serves_first_who_came_first() -> None:
    served: list[int] = []

    async def ask_in_turn() -> None:
        await asyncio.gather(*(slots.run(served.append, number) for number in range(20)))

    with Slots(1) as slots:
        asyncio.run(ask_in_turn())

    assert served == list(range(20))


def test_run_leaves_event_loop_free() -> None:
    loop_had_its_turn = threading.Event()

    async def wait_for_each_other() -> bool:
        waiting = asyncio.create_task(slots.run(loop_had_its_turn.wait, 10))
        await asyncio.sleep(0)
        loop_had_its_turn.set()
        return await waiting

    with Slots(1) as slots:
        assert asyncio.run(wait_for_each_other())


def test_run_cancelled_in_line_never_runs() -> None:
    ran: list[str] = []
    release = threading.Event()

    async def cancel_second() -> None:
        first = asyncio.create_task(slots.run(release.wait, 10))
        second = asyncio.create_task(slots.run(ran.append, "second"))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0)
        release.set()
        await first
        await slots.run(ran.append, "third")

    with Slots(1) as slots:
        asyncio.run(cancel_second())

    assert ran == ["third"]


def test_run_cancelled_in_work_stops_before_next_stage() -> None:
    stages: list[str] = []
    in_first, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        watch = Stopwatch()
        try:
            with watch.stage("first"):
                in_first.set()
                go_on.wait(10)
                stages.append("first")
            with watch.stage("second"):
                stages.append("second")
        finally:
            over.set()

    async def cancel_in_first_stage() -> None:
        task = asyncio.create_task(slots.run(work))
        await asyncio.to_thread(in_first.wait, 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        go_on.set()

    with Slots(1) as slots:
        asyncio.run(cancel_in_first_stage())
        assert over.wait(10)

    assert stages == ["first"]


def test_run_reports_stages() -> None:
    reported: list[str] = []

    @contextmanager
    def observe(stage: str) -> Iterator[None]:
        reported.append(f"{stage} begins")
        yield
        reported.append(f"{stage} ends")

    def work() -> None:
        with Stopwatch().stage("decode"):
            reported.append("work")

    with Slots(1, observe) as slots:
        asyncio.run(slots.run(work))

    assert reported == ["decode begins", "work", "decode ends"]


def test_run_learns_how_long_pictures_take() -> None:
    with Slots(1) as slots:
        before = slots.mean_s
        asyncio.run(slots.run(time.sleep, 0.001))

    assert slots.mean_s < before


def test_close_does_not_wait_longer_than_told() -> None:
    release = threading.Event()
    start = time.monotonic()
    with Slots(1, close_timeout_s=0.05) as slots:
        slots._threads.submit(slots_occupied, slots, release)
        while not slots.busy:
            time.sleep(0.001)

    assert time.monotonic() - start < 5
    release.set()


def slots_occupied(slots: Slots, release: threading.Event) -> None:
    with slots._occupied():
        release.wait(10)


@pytest.fixture
def line() -> Iterator[Line]:
    """Two slots, of which nobody is in, and three places: room for five."""
    with Slots(2) as slots:
        yield Line(slots, 3)


def test_line_turns_away_who_finds_it_full(line: Line) -> None:
    for _ in range(5):
        line.enter()

    with pytest.raises(OverloadedError) as caught:
        line.enter()
    line.leave()
    line.enter()

    assert caught.value.accepted == 5
    assert (line.taken, line.waiting) == (5, 5)


@pytest.mark.parametrize(
    ("mean_s", "retry_after_s"), [(0.01, 1), (0.5, 2), (2.0, 5), (100.0, 60)], ids=str
)
def test_line_tells_when_to_come_back(mean_s: float, retry_after_s: int, line: Line) -> None:
    line._slots.mean_s = mean_s
    for _ in range(5):
        line.enter()

    # Five pictures in two slots.
    assert line.retry_after_s == retry_after_s


def test_line_refuses_at_once_but_paces_a_storm(line: Line) -> None:
    async def refuse(count: int) -> float:
        start = time.monotonic()
        await asyncio.gather(*(line.pace_refusal() for _ in range(count)))
        return time.monotonic() - start

    async def refuse_few_then_many() -> tuple[float, float, float]:
        return await refuse(299), await refuse(60), await refuse(900)

    few, more, storm = asyncio.run(refuse_few_then_many())

    assert few < 0.1
    assert 0.1 < more < 0.6
    assert 0.9 < storm < 1.5


def test_line_holds_back_longer_who_comes_again_too_soon(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    at_once = {line.refusal_delay_s() for _ in range(301)}

    delays_s = [
        [line.refusal_delay_s(is_again=is_again) for _ in range(14)] for is_again in (False, True)
    ]

    assert at_once == {0}
    # The last is due 14 / 300 + 14 / 150 s later.
    assert delays_s[0] == pytest.approx([0.1] * 14)
    assert delays_s[1] == pytest.approx([0.1] * 8 + [0.2] * 6, abs=1e-6)


def test_refusals_that_wait_are_told_together(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    for _ in range(301):
        line.refusal_delay_s()

    told_s = set()
    for _ in range(50):
        told_s.add(round(now_s + line.refusal_delay_s(), 6))
        now_s += 0.001

    assert told_s == {100.1, 100.2}


def test_line_is_saturated_until_it_is_half_empty(line: Line) -> None:
    for _ in range(5):
        line.enter()
    assert line.saturated_s == 0
    with pytest.raises(OverloadedError):
        line.check_room()
    time.sleep(0.002)

    seconds = []
    for _ in range(3):
        seconds.append(line.saturated_s)
        line.leave()

    assert all(each > 0 for each in seconds)
    assert line.saturated_s == 0


def test_first_work_may_be_refused_and_what_follows_not() -> None:
    def refuse() -> None:
        raise OverloadedError(1, 2)

    async def begin_stream(slots: Slots) -> None:
        async with slots.stream():
            ran.append("stream")

    async def go_on_with_stream(slots: Slots) -> None:
        async with slots.stream(may_be_refused=False):
            ran.append("the rest of a stream")

    ran: list[object] = []
    upload = UploadFile(io.BytesIO(b"picture"))
    with Slots(1, check=refuse) as slots:
        with pytest.raises(OverloadedError):
            asyncio.run(slots.run_on(upload, ran.append))
        with pytest.raises(OverloadedError):
            asyncio.run(begin_stream(slots))
        assert ran == []
        asyncio.run(slots.run(ran.append, "what follows"))
        asyncio.run(go_on_with_stream(slots))

    assert ran == ["what follows", "the rest of a stream"]


def test_stream_waits_for_another_to_end() -> None:
    order: list[str] = []

    async def stream(name: str) -> None:
        async with slots.stream():
            order.append(f"{name} begins")
            await asyncio.sleep(0.001)
            order.append(f"{name} ends")

    async def stream_twice() -> None:
        await asyncio.gather(stream("first"), stream("second"))

    with Slots(1) as slots:
        asyncio.run(stream_twice())

    assert order == ["first begins", "first ends", "second begins", "second ends"]


def test_line_tidies_up_once_nobody_came_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "REST_S", 0.05)
    tidied: list[str] = []

    async def come_twice() -> None:
        line = Line(slots, 3, lambda: tidied.append("up"))
        for _ in range(2):
            line.enter()
            line.leave()
        assert tidied == []
        await asyncio.sleep(0.1)

    with Slots(1) as slots:
        asyncio.run(come_twice())
    # Also when the service has stopped meanwhile.
    slots.submit(lambda: None)

    assert tidied == ["up"]


def test_place_is_free_when_the_work_is_done_though_not_all_is_sent() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for _ in range(2):
            scope["state"][LEAVE_LINE]()
            taken.append(line.taken)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        raise AssertionError("nothing is sent")

    taken: list[int] = []
    with Slots(1) as slots:
        line = Line(slots, 3)
        line.enter()
        app = FastAPI()
        app.state.line = line
        scope = {"type": "http", "app": app, "headers": [(b"content-length", b"1")]}
        asyncio.run(AdmissionMiddleware(answer)(scope, receive, send))

    assert taken == [1, 1]
    assert line.taken == 1


def test_place_is_free_before_a_slow_client_has_its_answer() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        taken.append(line.taken)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        taken.append(line.taken)
        await send({"type": "http.response.body", "body": b"a picture"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def take_slowly(message: Message) -> None:
        if message["type"] == "http.response.body":
            taken.append(line.taken)
        await asyncio.sleep(0)

    taken: list[int] = []
    with Slots(1) as slots:
        line = Line(slots, 3)
        app = FastAPI()
        app.state.line = line
        scope = {"type": "http", "app": app, "headers": [(b"content-length", b"1")]}
        asyncio.run(AdmissionMiddleware(answer)(scope, receive, take_slowly))

    assert taken == [1, 1, 0]
    assert line.taken == 0
