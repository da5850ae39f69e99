"""Symbols and ids that every layer agrees on.

Two numberings meet here. *Symbols* are what a byte model predicts and a coder codes: the 256
bytes, then EOS. *Ids* are what a network reads and writes: SeqIO's three special ids (padding must
be 0, or loss weights and masks go wrong in SeqIO and T5X), then a compressor's codes.
"""

NUM_BYTES = 256
EOS_SYMBOL = 256
ALPHABET_SIZE = 257

PAD_ID = 0
EOS_ID = 1
UNK_ID = 2
NUM_SPECIAL_IDS = 3

# Meshes divide the embedding's vocabulary axis; 128 is also the lane width of a TPU.
_VOCAB_MULTIPLE = 128


def padded_vocab_size(num_ids: int) -> int:
    """Rows of an embedding for `num_ids` ids, rounded up so that a mesh can divide them."""
    return -(-num_ids // _VOCAB_MULTIPLE) * _VOCAB_MULTIPLE
