"""An interruption ends a run, wherever in the program it comes."""

import signal
import sys
import threading
import weakref
from collections.abc import Iterator

import dagster as dg
import pytest

from novade_pipeline.execution.interrupts import no_interruption_is_lost


class Referent:
    """What a weak reference can refer to."""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT is ignored in processes that were started in the background."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("raised", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_an_interruption_within_a_callback_comes_again(raised: type[BaseException]) -> None:
    def interrupt(_: object) -> None:
        raise raised

    def wait_in_vain() -> None:
        referent = Referent()
        reference = weakref.ref(referent, interrupt)
        del referent
        assert reference() is None
        threading.Event().wait(60)

    with pytest.raises(KeyboardInterrupt), no_interruption_is_lost():
        wait_in_vain()


def test_other_errors_within_callbacks_are_reported_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: reported.append(u.exc_type))

    def fail(_: object) -> None:
        raise ValueError

    with no_interruption_is_lost():
        referent = Referent()
        reference = weakref.ref(referent, fail)
        del referent
        assert reference() is None
    assert reported == [ValueError]
