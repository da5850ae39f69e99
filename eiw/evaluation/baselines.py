"""What knowing nothing, or only the codes' frequencies, costs (paper, Table 3).

Both pay for EOS as for any code, one a document, as a scored model does; bytes are the raw text's.
"""

import math

import numpy as np

from eiw import errors, vocab

_CHUNK_IDS = 1 << 22  # counted at a time, since counting widens ids to 64 bits


def uniform_bits_per_byte(num_codes: int, num_tokens: int, num_bytes: int) -> float:
    """log2 of the codes that exist, for each token.

    Args:
      num_codes: codes that exist: no special ids, no padding of an embedding.
      num_tokens: held-out ids, EOS included, which costs what a code costs.
      num_bytes: of the held-out text, without EOS.

    Raises:
      InputError: no bytes to divide by.
    """
    _check_bytes(num_bytes)
    return math.log2(num_codes) * num_tokens / num_bytes


def unigram_bits_per_byte(
    training_ids: np.ndarray, held_out_ids: np.ndarray, num_codes: int, num_bytes: int
) -> float:
    """Cross-entropy under the frequencies of training ids, one added to the count of each.

    Probability is spread over the codes that exist and EOS.

    Args:
      training_ids: unsigned or signed int[n], codes shifted past the special ids, and EOS.
      held_out_ids: the same of the held-out text.
      num_codes: codes that exist.
      num_bytes: of the held-out text, without EOS.

    Raises:
      InputError: no bytes to divide by, or ids that are no codes.
    """
    _check_bytes(num_bytes)
    counts = _count(training_ids, num_codes) + 1
    bits = np.log2(counts.sum()) - np.log2(counts)
    return float(_count(held_out_ids, num_codes) @ bits) / num_bytes


def _count(ids: np.ndarray, num_codes: int) -> np.ndarray:
    """int64[1 + num_codes]: how often EOS and each code occur."""
    num_ids = vocab.NUM_SPECIAL_IDS + num_codes
    counts = np.zeros(num_ids, np.int64)
    for start in range(0, len(ids), _CHUNK_IDS):
        chunk = np.asarray(ids[start : start + _CHUNK_IDS])
        if chunk.min() < 0 or chunk.max() >= num_ids:
            raise errors.InputError(
                f"Ids go up to {chunk.max()}, but {num_codes} codes end at {num_ids - 1}: these "
                "are another compressor's."
            )
        counts += np.bincount(chunk, minlength=num_ids)
    if counts[vocab.PAD_ID] or counts[vocab.UNK_ID]:
        raise errors.InputError(
            "Padding or unknown ids among the tokens: no compressor makes them."
        )
    return counts[[vocab.EOS_ID, *range(vocab.NUM_SPECIAL_IDS, num_ids)]]


def _check_bytes(num_bytes: int) -> None:
    if num_bytes < 1:
        raise errors.InputError("No bits/byte of no bytes: the held-out documents are empty.")
