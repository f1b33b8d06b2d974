"""Slots run so many calls at a time, in the order in which they came."""

from __future__ import annotations

import asyncio
import threading

import pytest

from service.admission import Slots


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
