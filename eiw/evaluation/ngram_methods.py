"""Compressors for benchmarks that have none: fitted in a minute, n-grams in the place of M1."""

from collections.abc import Callable, Sequence

from eiw import progress
from eiw.coding import byte_model
from eiw.compressors import base, neural_ac, raw_bytes, sentence_piece, tunstall_fit
from eiw.compressors import window_dictionary as windows

# Longer contexts repeat their training text.
_ORDER = 5
_PIECES = 8192
_SAMPLE_BYTES = 1 << 20


def names() -> tuple[str, ...]:
    """Those that `fit` knows, cheap ones first."""
    return tuple(_MAKERS)


def fit(wanted: Sequence[str], documents: Sequence[bytes]) -> dict[str, base.Compressor]:
    """Compressors by name.

    Args:
      wanted: some of `names()`.
      documents: to fit on; a few megabytes do.
    """
    model = byte_model.NgramByteModel.fit(documents, order=_ORDER)
    making = progress.track(wanted, "Fitting compressors", unit="method")
    return {name: _MAKERS[name](model, documents) for name in making}


def _pieces(_: byte_model.ByteModel, documents: Sequence[bytes]) -> base.Compressor:
    return sentence_piece.SentencePiece.train(documents, _PIECES, _SAMPLE_BYTES)


_MAKERS: dict[str, Callable[[byte_model.ByteModel, Sequence[bytes]], base.Compressor]] = {
    "bytes": lambda model, documents: raw_bytes.RawBytes(),
    "ac_v256": lambda model, documents: neural_ac.NeuralAC(model, token_bits=8),
    "equal_info_b16_v65k": lambda model, documents: windows.compile_windows(model),
    "tunstall_v65k": lambda model, documents: tunstall_fit.fit_tunstall(model),
    "sentencepiece": _pieces,
}
