"""The page in a real browser, from a real `eiw demo`: what is typed, shown and gone on with."""

import contextlib
import itertools
import re
import subprocess
import sys

import chromium
import pytest

from eiw.demo import run_folder, windows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="there is no Chromium on this machine"),
]
TEXT = "the text <b>that</b> a größer 🙂 model\nis trained on"


@contextlib.contextmanager
def served(run_path):
    command = [sys.executable, "-m", "eiw.main", "demo", f"--run={run_path}", "--port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def opened(run_path, tmp_path_factory):
    profile = tmp_path_factory.mktemp("chromium")
    with served(run_path) as address, chromium.open_page(profile) as browser:
        yield browser, address


@pytest.fixture
def page(opened):
    """The page as it is when it is opened, in a browser that tests share."""
    browser, address = opened
    browser.call("Emulation.clearDeviceMetricsOverride")
    for url, methods in (("about:blank", 0), (address, 4)):
        browser.call("Page.navigate", url=url)
        browser.wait_for(f"document.querySelectorAll('.method').length === {methods}")
    return browser


def shown(page, name):
    """The texts of a method's windows, once they are those of what was typed last."""
    card = f"document.querySelector('[data-method={name}]')"
    page.wait_for(
        f"!{card}.classList.contains('waiting') && "
        f"{card}.querySelector('.text').textContent.includes('trained')"
    )
    return page.run(f"[...{card}.querySelectorAll('.text .w')].map((each) => each.textContent)")


def spelt(data):
    """A window's text as the page spells it."""
    text = data.decode(errors="surrogateescape").replace("\n", "↵\n")
    return re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def test_what_is_typed_is_shown_as_every_compressor_cuts_it(page, run_path):
    page.type_into("#text", TEXT)
    for name, method in run_folder.RunFolder(run_path).methods.items():
        pieces = windows.cut(method.compressor, TEXT.encode(), method.model).pieces
        assert shown(page, name) == [spelt(piece.text) for piece in pieces]
    # Text is text: none of it became a part of the page.
    assert page.run("document.querySelectorAll('.text b').length") == 0


def test_neighbours_have_other_colours(page):
    page.type_into("#text", TEXT)
    shown(page, "windows")
    colours = page.run(
        "[...document.querySelectorAll('[data-method=windows] .text .w')]"
        ".map((each) => getComputedStyle(each).backgroundColor)"
    )
    assert len(set(colours)) == 4
    assert all(one != other for one, other in itertools.pairwise(colours))


def test_a_window_tells_its_code_and_bits(page, run_path):
    compressor = run_folder.RunFolder(run_path).methods["windows"].compressor
    codes = compressor.encode(TEXT.encode()).tolist()
    page.type_into("#text", TEXT)
    shown(page, "windows")
    page.run("document.querySelector('[data-method=windows] .text').focus()")
    for number in (1, 2):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight")
        detail = page.run("document.querySelector('[data-method=windows] .detail').textContent")
        assert f"window {number} of {len(codes)}" in detail
        assert f"code {codes[number - 1]:,} of {compressor.vocab_size:,}" in detail
        assert "of 16 bits used" in detail


def test_a_continuation_comes_and_can_be_stopped(page):
    page.type_into("#text", TEXT)
    page.run("document.querySelector('#method').value = 'bytes'")
    page.type_into("#max_bytes", "60")
    page.run("document.querySelector('#go').click()")
    page.wait_for("document.querySelector('#stop').disabled === false")
    page.wait_for("document.querySelector('#go').disabled === false")
    progress = page.run("document.querySelector('#progress').textContent")
    assert re.match(r"\d+ bytes in \d+ steps .*(asked for|ended the text)\.$", progress)
    assert page.run("document.querySelectorAll('#continuation .w').length") > 0
    assert page.run("document.querySelector('#continuation .prompt').textContent") == TEXT
    page.type_into("#max_bytes", "2048")
    # In the page, as soon as text comes: this small model may end it before we could click.
    page.run(
        "new MutationObserver((changes, observer) => {"
        "  if (!document.querySelector('#continuation .w')) return;"
        "  observer.disconnect();"
        "  document.querySelector('#stop').click();"
        "}).observe(document.querySelector('#continuation'), { childList: true, subtree: true })"
    )
    page.run("document.querySelector('#go').click()")
    page.wait_for("document.querySelector('#progress').textContent.endsWith('stopped.')")


def test_what_is_wrong_is_told(page):
    page.type_into("#text", "ä" * 3000)
    page.wait_for(
        "document.querySelector('[data-method=bytes] .problem').innerText.includes('4,096')"
    )
    assert "problem" in page.run("document.querySelector('#size').className")
    page.run("document.querySelector('#go').click()")
    page.wait_for("document.querySelector('#progress').textContent.includes('4,096')")


def test_nothing_is_wider_than_a_phone(page):
    page.type_into("#text", "word " * 30 + "x" * 300 + "trained")
    page.run("document.querySelector('#method').options[0].text = 'A long name, '.repeat(3)")
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=320,
        height=700,
        deviceScaleFactor=1,
        mobile=True,
    )
    shown(page, "windows")
    assert page.run("document.documentElement.scrollWidth") <= 320
