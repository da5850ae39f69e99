"""Tokenizers of others, to measure ours against. Those of the extra `bench` are optional.

All run in one thread: those that have threads of their own are asked for one, or called document by
document. What they need is made here, without a download.
"""

import functools
import io
import os
from collections.abc import Iterator, Sequence

from eiw import errors
from eiw.evaluation import tokenizer_speed

# Of the paper's baseline, T5's SentencePiece.
_VOCAB_SIZE = 32_000
# Training on more takes minutes and changes no speed.
_SAMPLE_BYTES = 4 << 20
# How GPT-2 cuts text into words before it merges bytes.
_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def names() -> tuple[str, ...]:
    """All that this module knows, as PyPI spells them."""
    return tuple(_MAKERS)


def make_rival(name: str, documents: Sequence[bytes]) -> tokenizer_speed.Tokenizer | None:
    """A rival that is ready to run, trained on the first of `documents` if need be.

    Returns:
      None where a package that it needs is not installed.

    Raises:
      InputError: a name that is none of `names()`.
    """
    if name not in _MAKERS:
        raise errors.InputError(f"No tokenizer {name!r}: choose from {', '.join(_MAKERS)}.")
    try:
        return _MAKERS[name](tuple(_sample(documents)))
    except ImportError:
        return None


def _sample(documents: Sequence[bytes]) -> Iterator[str]:
    """Lines of the first documents."""
    left = _SAMPLE_BYTES
    for document in documents:
        yield from document[:left].decode(errors="replace").splitlines(keepends=True)
        left -= len(document)
        if left <= 0:
            return


def _sentencepiece(sample: tuple[str, ...]) -> tokenizer_speed.Tokenizer:
    """With its own defaults; bytes stand in for characters that it has not seen."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sample),
        model_writer=model,
        vocab_size=_VOCAB_SIZE,
        hard_vocab_limit=False,
        byte_fallback=True,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return tokenizer_speed.Tokenizer(
        "SentencePiece",
        processor.get_piece_size(),
        functools.partial(processor.encode, num_threads=1),
        functools.partial(processor.decode, num_threads=1),
        takes_text=True,
    )


@functools.cache
def _byte_pairs(sample: tuple[str, ...]) -> "tokenizers.Tokenizer":  # noqa: F821
    # Its threads are told by this alone.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import tokenizers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=_VOCAB_SIZE,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def _tokenizers(sample: tuple[str, ...]) -> tokenizer_speed.Tokenizer:
    tokenizer = _byte_pairs(sample)
    return tokenizer_speed.Tokenizer(
        "HF tokenizers",
        tokenizer.get_vocab_size(),
        lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)],
        tokenizer.decode_batch,
        takes_text=True,
    )


def _tiktoken(sample: tuple[str, ...]) -> tokenizer_speed.Tokenizer:
    """With the merges that `tokenizers` found: it has no training of its own that is fast."""
    import tiktoken

    byte_of = _byte_of_character()
    ranks = {
        bytes(byte_of[character] for character in token): rank
        for token, rank in _byte_pairs(sample).get_vocab().items()
    }
    encoding = tiktoken.Encoding("eiw", pat_str=_WORDS, mergeable_ranks=ranks, special_tokens={})
    return tokenizer_speed.Tokenizer(
        "tiktoken",
        encoding.n_vocab,
        lambda texts: [encoding.encode_ordinary(text) for text in texts],
        lambda ids: [encoding.decode(one) for one in ids],
        takes_text=True,
    )


def _byte_of_character() -> dict[str, int]:
    """Which byte each character of byte-level BPE stands for: printable ones for themselves, and
    the others, in order, for the characters from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }


def _pyrwkv_tokenizer(sample: tuple[str, ...]) -> tokenizer_speed.Tokenizer:
    """With the vocabulary that it comes with, of 65,529 texts."""
    import pyrwkv_tokenizer

    tokenizer = pyrwkv_tokenizer.RWKVTokenizer()
    # Its encode_batch uses all cores.
    return tokenizer_speed.Tokenizer(
        "pyrwkv-tokenizer",
        tokenizer.vocab_size(),
        lambda texts: [tokenizer.encode(text) for text in texts],
        lambda ids: [tokenizer.decode(one) for one in ids],
        takes_text=True,
    )


_MAKERS = {
    "sentencepiece": _sentencepiece,
    "tokenizers": _tokenizers,
    "tiktoken": _tiktoken,
    "pyrwkv-tokenizer": _pyrwkv_tokenizer,
}
