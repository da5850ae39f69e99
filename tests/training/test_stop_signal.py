"""Signals that ask a run to stop."""

import signal

import pytest

from eiw.training import stop_signal


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
