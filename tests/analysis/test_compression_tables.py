"""The paper's tables of compression, its figures beside ours."""

import dataclasses

import pytest

from eiw import gin_config
from eiw.analysis import compression_tables


@dataclasses.dataclass(frozen=True)
class Row:
    """Made by hand: 4,000 bytes in 1,000 tokens."""

    name: str = "mine"
    compressor_name: str = "equal_info_b16_v65k"
    vocab_size: int = 65536
    runs_m1: bool = False
    lossless: bool = True
    documents: int = 10
    bytes: int = 4000
    tokens: int = 1000
    lost_documents: int = 0
    windows: int | None = None
    lost_windows: int | None = None
    uniform_bits_per_byte: float = 4.04
    unigram_bits_per_byte: float = 3.5
    train_tokens: int = 2000
    train_bytes: int = 7000
    bytes_per_token: float = 4.0
    bit_ratio: float = 2.0


GREEDY = Row(
    name="greedy",
    compressor_name="equal_info_b16_v256_greedy",
    lossless=False,
    lost_documents=9,
    windows=1000,
    lost_windows=205,
)


def cells_of(report, section, name):
    """The cells of one row, without the method's."""
    part = report.split(f"## {section}")[1].split("\n## ")[0]
    (line,) = [line for line in part.splitlines() if line.startswith(f"| {name} ")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


@pytest.fixture(scope="module")
def report():
    foreign = Row(name="zlib9", compressor_name="gzip_v256_level9")
    rows = [Row(), GREEDY, foreign]
    return compression_tables.compression_report(rows, [("text", "some")])


def test_ratios_stand_beside_the_papers(report):
    assert "- text: some" in report
    ours = cells_of(report, "Ratios", "mine")
    assert ours == ["4.000", "5.31", "2.000", "65,536", "no", "yes", "0", "–"]
    assert cells_of(report, "Ratios", "zlib9")[1] == "–"


def test_lost_windows_are_counted_beside_the_papers(report):
    assert cells_of(report, "Ratios", "greedy")[-3:] == ["NO", "9 (90.0%)", "205 (20.5%)"]
    (line,) = [line for line in report.splitlines() if line.startswith("greedy:")]
    assert "795 of 1,000 windows (79.5%)" in line
    assert "1 of 10 documents (10.0%)" in line
    assert "99.4%" in line


def test_models_of_no_memory(report):
    assert cells_of(report, "Models", "mine") == ["4.040", "–", "3.500", "–"]
    assert cells_of(report, "Models", "greedy") == ["4.040", "3.008", "3.500", "2.976"]


def test_training_text(report):
    assert cells_of(report, "Training", "mine") == ["2,000", "7,000", "3.500", "26.1 G", "139 GB"]


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("bytes", 1.0),
        ("ac_v65k", 10.98),
        ("equal_info_b16_v65k_delay", 4.4),
        ("equal_info_b16_v65k_greedy", 5.31),
        ("equal_info_b24_v256", 3.15),
        ("gzip_v256_no_header", 2.24),
        ("tunstall_v65k", None),
    ],
)
def test_the_papers_figures(name, ratio):
    assert compression_tables.paper_figures(name).bytes_per_token == ratio


def test_each_figure_is_of_a_method_that_is_here():
    methods = {path.stem for path in (gin_config.folder() / "methods").glob("*.gin")}
    text = compression_tables._FIGURES.read_text()
    names = {line.partition(",")[0] for line in text.splitlines()[2:]}
    assert len(names) == 26
    assert names <= methods
