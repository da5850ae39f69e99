"""eiw compile: makes a compressor, of any method, from a trained M1 and text.

The method is a gin file: --gin_file=methods/NAME.gin, for every NAME that the SeqIO tasks have
(gin/methods lists them); without one, Equal-Info Windows of 16 bits. Its settings change with
--gin.recipes.CLASS.SETTING=VALUE. Windows become a dictionary: M1 is run once for every text that
they can hold, and never again to encode or decode.

--export writes a dictionary (16-bit windows, or Tunstall's cut greedily) for other programs too:
rwkv          OUTPUT/rwkv_vocab.txt, the vocabulary file of RWKV's tokenizers; id = code + 1
transformers  OUTPUT/transformers/, for AutoTokenizer; id = code + 3, as M2 has it

    eiw compile --m1 runs/smoke/m1 --output my_windows
    eiw compile --compressor my_windows --export rwkv,transformers --output my_exports
    eiw compile --m1 runs/smoke/m1 --text 'my/*.txt' --output my_tunstall \\
        --gin_file=methods/tunstall_v65k.gin --gin.tunstall_fit.Fit.start_rounds=2
"""

import contextlib
import dataclasses
import pathlib
import time

from absl import flags

from eiw import atomic, compressors, errors, recipes
from eiw.commands import gin_flags, task_flags, text_flags
from eiw.compressors import artefact
from eiw.export import transformers_folder, vocabulary_file

# Flags that say how a compressor is made.
_MAKING_FLAGS = ("m1", "text", "corpus", "gin_file", "gin_search_paths", "gin_bindings")
# What each writes below the output folder, and what writes it.
_EXPORTS = {
    "rwkv": ("rwkv_vocab.txt", vocabulary_file.write_vocabulary),
    "transformers": ("transformers", transformers_folder.write_tokenizer),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin decides about `eiw compile`."""

    recipe: recipes.Recipe


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw compile`."""
    flags.DEFINE_string(
        "m1", None, "Folder of an exported M1; some methods need none.", flag_values=values
    )
    flags.DEFINE_string(
        "output", None, "Folder of the compressor.", required=True, flag_values=values
    )
    flags.DEFINE_string(
        "compressor", None, "With --export: export this one, make none.", flag_values=values
    )
    flags.DEFINE_list(
        "export", [], f"Formats to write too: {', '.join(_EXPORTS)}.", flag_values=values
    )
    text_flags.define(values)
    gin_flags.define(values, default_file="methods/equal_info_b16_v65k.gin")


def run(values: flags.FlagValues) -> None:
    """Makes the compressor, or loads one, saves and exports it, and says what came out."""
    if unknown := sorted(set(values.export) - _EXPORTS.keys()):
        raise errors.InputError(
            f"--export knows no {', '.join(unknown)}: choose among {', '.join(_EXPORTS)}."
        )
    output = pathlib.Path(values.output)
    if values.compressor is None:
        compressor = _make(values, output)
    elif values.export:
        task_flags.refuse(values, _MAKING_FLAGS, "compressor")
        compressor = compressors.load(values.compressor)
    else:
        raise errors.InputError("--compressor goes with --export: there is nothing else to do.")
    for name in values.export:
        file_name, write = _EXPORTS[name]
        write(output / file_name, compressor)
        print(f"{output / file_name}: {compressor.vocab_size:,} texts")
    if "rwkv" in values.export and compressor.vocab_size > vocabulary_file.MAX_IDS_OF_16_BITS:
        print(
            f"Readers that keep ids in 16 bits, pyrwkv-tokenizer among them, know no more than "
            f"{vocabulary_file.MAX_IDS_OF_16_BITS:,} texts: compile fewer for these."
        )


def _make(values: flags.FlagValues, output: pathlib.Path) -> compressors.Compressor:
    settings, config = gin_flags.build(values, Settings)
    recipe = settings.recipe
    if recipe.reads_m1 and values.m1 is None:
        raise errors.InputError(f"{recipe.label} is made from an M1: give its folder with --m1.")
    # Told now, not after minutes of work.
    atomic.check_replaceable(output, artefact.HEADER_NAME)
    with contextlib.ExitStack() as stack:
        text = None
        if recipe.reads_text:
            text = stack.enter_context(text_flags.open_text(values))["train"]
        started = time.perf_counter()
        m1_folder = pathlib.Path(values.m1) if recipe.reads_m1 else None
        compressor = recipe.build(text, m1_folder)
        seconds = time.perf_counter() - started
    compressor.save(output)
    gin_flags.save(output, config)
    print(
        f"{output}: {recipe.label}, {compressor.vocab_size:,} codes in {seconds:.0f} s, "
        f"fingerprint {compressor.fingerprint[:12]}"
    )
    return compressor
