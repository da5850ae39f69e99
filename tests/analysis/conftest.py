"""Rows as a run might leave them."""

from collections.abc import Callable

import pytest

from eiw import rows


def _make_row(method: str = "Bytes", bits_per_byte: float = 2.0, **changes) -> rows.Row:
    values = {
        "kind": "m2",
        "method": method,
        "vocab_size": 256,
        "size": "tiny",
        "params": 500_000,
        "steps": 100,
        "tokens": 51_200,
        "bytes": 102_400,
        "loss_nats": 2.8,
        "bytes_per_token": 2.0,
        "bits_per_byte": bits_per_byte,
        "standard_error": 0.0123,
        "uniform_bits_per_byte": 8.0,
        "unigram_bits_per_byte": 4.5,
        "flops_per_byte": 500_000.0,
        "exact_flops_per_byte": 654_321.0,
        "seconds": 61.5,
        "device": "2 x CPU",
        "git_commit": "0123abcd",
        "seed": 0,
        "corpus_sha256": "ab" * 32,
        "lossless": True,
        "lost_documents": 0,
        "eval_bytes": 9_900,
        "eval_tokens": 5_000,
    }
    return rows.Row(**values | changes)


@pytest.fixture
def make_row() -> Callable[..., rows.Row]:
    """make_row(method, bits_per_byte, **fields)"""
    return _make_row


@pytest.fixture
def smoke_rows() -> list[rows.Row]:
    """An M1 and four methods, one of them with M1's FLOPs, one that loses text."""
    return [
        _make_row("Bytes", 2.7, kind="m1", m1_fingerprint="9b" * 32),
        _make_row("Bytes", 2.3, bytes_per_token=0.995, flops_per_byte=1_005_025.0),
        _make_row("SentencePiece[8k]", 2.1, bytes_per_token=3.4, flops_per_byte=294_117.0),
        _make_row(
            "AC[v=256]",
            2.66,
            unigram_bits_per_byte=2.65,
            flops_per_byte=1_250_000.0,
            m1_flops_per_byte=1_000_000.0,
            m1_fingerprint="9b" * 32,
        ),
        _make_row(
            "EqualInfoAC[b=16, v=65k]",
            2.2,
            bytes_per_token=2.6,
            lossless=False,
            lost_documents=1_234,
            m1_fingerprint="9b" * 32,
        ),
    ]
