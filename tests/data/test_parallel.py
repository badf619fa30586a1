"""`ordered_map` keeps the order of its tasks and takes only few of them ahead."""

import threading
from collections.abc import Iterator

import pytest

from tests.waiting import PATIENCE
from tinylm.data import parallel
from tinylm.data.parallel import ordered_map


def test_results_come_in_order_from_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "processors", lambda: 3)
    threads: set[int] = set()
    together = threading.Barrier(3)

    def work(task: int) -> int:
        threads.add(threading.get_ident())
        if task < 3:
            together.wait(PATIENCE)
        return task * task

    assert list(ordered_map(work, range(30))) == [i * i for i in range(30)]
    assert len(threads) == 3


def test_few_tasks_are_taken_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "processors", lambda: 2)
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        while taken < 100:
            taken += 1
            yield taken

    for done in ordered_map(lambda task: task, tasks()):
        assert taken <= done + 4


def test_an_error_reaches_the_caller() -> None:
    def work(task: int) -> float:
        return 1 / (task - 5)

    with pytest.raises(ZeroDivisionError):
        list(ordered_map(work, range(50)))


def test_this_process_has_a_processor() -> None:
    assert parallel.processors() >= 1
