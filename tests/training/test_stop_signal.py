"""Signals that ask a run to stop."""

import signal

import pytest

from eiw.training import stop_signal


@pytest.fixture(autouse=True)
def interrupts():
    """Ctrl-C as Python has it, also where the tests run in a shell's background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def test_a_signal_is_noted_and_its_echo_is_not():
    with stop_signal.listen() as received:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert received == [signal.SIGTERM]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_later_one_acts_as_before(monkeypatch):
    monkeypatch.setattr(stop_signal, "_ECHO_SECONDS", 0.0)
    with stop_signal.listen() as received:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert received == [signal.SIGINT]


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_signal.listen() as received:
        signal.raise_signal(signal.SIGINT)
        assert received == []
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
