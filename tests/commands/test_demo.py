"""`eiw demo`: where it listens, and one line for what is wrong. The page: tests/demo."""

import sys
import types

import pytest

from eiw import main
from eiw.compressors.raw_bytes import RawBytes
from eiw.demo import server


@pytest.fixture
def demo(capfd, monkeypatch, tmp_path):
    """Runs the command on a run that has one compressor; Ctrl-C comes at once."""
    RawBytes().save(tmp_path / "compressors" / "bytes")
    listened = []

    def listen(app, host, port):
        listened.append((host, port))
        return types.SimpleNamespace(bind_addr=(host, port), serve=interrupt, stop=lambda: None)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "listen", listen)

    def call(*arguments):
        status = main.main(["demo", f"--run={tmp_path}", *arguments])
        out, err = capfd.readouterr()
        return status, listened, out, err

    return call


def test_this_machine_alone_by_default(demo):
    status, listened, out, err = demo()
    assert (status, err) == (0, "")
    assert listened == [("127.0.0.1", 8000)]
    assert "http://127.0.0.1:8000" in out


@pytest.mark.parametrize(
    ("host", "warns", "address"),
    [
        ("::1", False, "http://[::1]:9"),
        ("127.0.0.2", False, "http://127.0.0.2:9"),
        ("0.0.0.0", True, "http://0.0.0.0:9"),
    ],
)
def test_other_addresses_are_asked_for(demo, host, warns, address):
    status, listened, out, err = demo(f"--host={host}", "--port=9")
    assert (status, listened) == (0, [(host, 9)])
    assert address in out
    assert ("no password" in err) == warns


def test_a_name_is_no_address(demo):
    status, listened, _, err = demo("--host=example.org")
    assert (status, listened) == (1, [])
    assert "IP address" in err and err.count("\n") == 1


def test_what_is_left_out_is_told(demo, tmp_path):
    (tmp_path / "compressors" / "broken").mkdir()
    (tmp_path / "compressors" / "broken" / "compressor.json").write_text("{}")
    status, listened, _, err = demo()
    assert (status, len(listened)) == (0, 1)
    assert "broken is left out" in err


def test_no_run(demo, tmp_path):
    status, _, _, err = demo(f"--run={tmp_path / 'nowhere'}")
    assert status == 1
    assert "no compressors" in err and err.count("\n") == 1


@pytest.mark.parametrize("package", ["flask", "cheroot"])
def test_the_extra_is_asked_for(demo, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("server", "asked"):
        monkeypatch.delitem(sys.modules, f"eiw.demo.{module}", raising=False)
    monkeypatch.delattr("eiw.demo.server")
    status, listened, _, err = demo()
    assert (status, listened) == (1, [])
    assert f"needs {package}" in err and "eiw[demo]" in err and err.count("\n") == 1
