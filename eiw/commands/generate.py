"""eiw generate: text from a trained M2, shown as it is decoded.

    eiw generate --run runs/smoke/m2/equal_info_b16_v65k \\
        --compressor runs/smoke/compressors/equal_info_b16_v65k --prompt "The function returns"

Without --prompt or --prompt_file the prompt is read from standard input, if something is piped into
it; an empty prompt begins a text. What is written is what comes after the prompt. With --batch the
first text is shown as it comes, and the others after it, each under a line of its own.
"""

import codecs
import pathlib
import sys

from absl import flags

from eiw import errors
from eiw.inference import generator, sampling

# An empty prompt begins a text.
MAY_BE_EMPTY = ("prompt",)
# Bytes of a prompt for which an M1 that runs takes more than a second or two.
_SLOW_BYTES = 512


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw generate`."""
    flags.DEFINE_string("run", None, "Folder of a trained M2.", required=True, flag_values=values)
    flags.DEFINE_string(
        "compressor",
        None,
        "Folder of the compressor that M2 was trained on.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_string("prompt", None, "Text to go on with.", flag_values=values)
    flags.DEFINE_string("prompt_file", None, "File with the prompt.", flag_values=values)
    flags.DEFINE_integer(
        "max_bytes", 256, "Stop after this many.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_float("temperature", 1.0, "0 takes the most probable code.", flag_values=values)
    flags.DEFINE_integer(
        "top_k", 0, "Draw from so many of the most probable codes; 0: all.", flag_values=values
    )
    flags.DEFINE_float(
        "top_p",
        1.0,
        "Draw from the fewest of the most probable codes with this much of the mass.",
        flag_values=values,
    )
    flags.DEFINE_integer("seed", 0, "Of the draws.", lower_bound=0, flag_values=values)
    flags.DEFINE_integer(
        "batch", 1, "Texts to make, each by draws of its own.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_list(
        "allow_mismatch",
        [],
        "What may differ where the compressor runs M1: m1, backend.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Writes text to standard output, and what there is to say to standard error."""
    # Wrong settings and files are told before anything is loaded.
    how = sampling.Sampling(values.temperature, values.top_k, values.top_p)
    prompt = _prompt(values)
    made = generator.Generator.load(
        values.run, values.compressor, allow_mismatch=values.allow_mismatch
    )
    kept = made.kept(prompt)
    if len(prompt) > len(kept):
        _say(
            f"the prompt has {len(prompt):,} bytes; M2 reads no further back than the last "
            f"{len(kept):,} of them, which are kept"
        )
    if made.compressor.runs_m1 and len(kept) > _SLOW_BYTES:
        _say("M1 reads the prompt byte by byte, about a thousand a second")
    if prompt and made.approximation:
        _say(f"what comes after the prompt is approximate: {made.approximation}")
    if not made.is_streamed:
        _say(f"{made.compressor.name} codes text as a whole: it is shown at the end")
    steps = made.generate(
        [prompt] * values.batch, max_bytes=values.max_bytes, how=how, seed=values.seed
    )
    others = [bytearray() for _ in range(values.batch - 1)]
    decoder, num_bytes = _decoder(prompt), 0
    for first, *rest in steps:
        num_bytes += len(first)
        # Bytes that end inside of a character wait for the rest of it.
        _write(decoder.decode(first))
        for other, piece in zip(others, rest, strict=True):
            other += piece
    _write(decoder.decode(b"", final=True) + "\n")
    if not num_bytes:
        _say("M2 ended the text at once, or drew codes of none; another --seed may draw more")
    for number, other in enumerate(others, start=2):
        text = _decoder(prompt).decode(bytes(other), final=True)
        _write(f"--- {number} of {values.batch} ---\n{text}\n")


def _prompt(values: flags.FlagValues) -> bytes:
    if values.prompt is not None and values.prompt_file is not None:
        raise errors.InputError("Give --prompt or --prompt_file, not both.")
    if values.prompt is not None:
        # Arguments that are no UTF-8 come with surrogates in place of their bytes.
        prompt = values.prompt.encode(errors="surrogateescape")
    elif values.prompt_file is not None:
        try:
            prompt = pathlib.Path(values.prompt_file).read_bytes()
        except OSError as error:
            raise errors.InputError(
                f"--prompt_file={values.prompt_file} cannot be read: {error.strerror}."
            ) from error
    else:
        # A process may have no standard input at all.
        is_piped = sys.stdin is not None and not sys.stdin.isatty()
        prompt = sys.stdin.buffer.read() if is_piped else b""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(prompt)
    except UnicodeDecodeError as error:
        _say(f"the prompt is no UTF-8 at byte {error.start:,}; its bytes are taken as they are")
    return prompt


def _decoder(prompt: bytes) -> codecs.IncrementalDecoder:
    """A decoder that knows the part of a character that the prompt ends in."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder.decode(prompt[-3:])
    return decoder


def _write(text: str) -> None:
    print(text, end="", flush=True)


def _say(text: str) -> None:
    print(f"eiw generate: {text}", file=sys.stderr, flush=True)
