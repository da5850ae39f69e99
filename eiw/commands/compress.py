"""eiw compress: text becomes token files of one compressor, which `eiw train` reads."""

import pathlib

from absl import flags

from eiw import compressors
from eiw.data import corpus, text_files, token_files


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw compress`."""
    flags.DEFINE_string(
        "compressor", None, "Folder of a saved compressor.", required=True, flag_values=values
    )
    flags.DEFINE_string(
        "text",
        None,
        "Glob of text: .txt, or .jsonl with a field 'text'; also .gz and .xz.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder of the token files: OUTPUT/train, OUTPUT/validation, OUTPUT/test.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "max_tokens", None, "Stop each split after this many.", lower_bound=1, flag_values=values
    )


def run(values: flags.FlagValues) -> None:
    """Reads the text once, then compresses one split after the other."""
    output = pathlib.Path(values.output)
    compressor = compressors.load(pathlib.Path(values.compressor))
    text = corpus.write_corpus(
        output / "corpus", text_files.text_documents(values.text), source=values.text
    )
    for split in corpus.SPLITS:
        tokens = token_files.write_tokens(
            output / split, compressor, text[split], values.max_tokens
        )
        ratio = tokens.total_bytes / tokens.num_tokens
        print(
            f"{output / split}: {tokens.num_tokens:,} tokens of {tokens.total_bytes:,} bytes "
            f"({ratio:.3f} bytes/token)"
        )
