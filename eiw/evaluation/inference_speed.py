"""How fast M2s of equal parameters generate text over the codes of several compressors.

The models' numbers are random, which changes nothing about speed. But what a random model draws
would be no text: some codes stand for a byte, others for twenty. So the codes are those of real
text: each step is the very step of generation, drawing included (`decoding.Network.step`), then
what it drew is put aside, the text's next code takes its place, and is turned back into bytes by
the stream that generation uses (`code_texts.CodeStream`). Only the time to the first byte is taken
from generation itself (`Generator.generate`).

Programs are compiled before the clock starts. A step ends when its codes are on the host. Methods
are measured in turns, a few steps each, so that whatever else the machine does hits all alike.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from eiw import compressors, errors, progress, vocab
from eiw.evaluation import bandwidth, inference_bars, random_models
from eiw.inference import code_texts, decoding, generator, sampling
from eiw.models import config, decoder

# Bandwidths are measured by so many reads beside each turn, of memory and of what is resident.
_READS, _RESIDENT_READS = 2, 8
# A turn is at least so long: the steps of small models are short beside what disturbs them.
_TURN_S = 0.25
# Prefills take the longest and vary the least: the first turns measure them.
_PREFILL_TURNS = 3
# Windows and dictionaries that need no M1 to decode.
_COMPILED = ("window_dictionary", "tunstall")
# Draws of EOS come before any byte; then another seed is tried.
_SEEDS = 20


@dataclasses.dataclass(frozen=True)
class Method:
    """A compressor under a name.

    Attributes:
      bytes_per_step: bytes of real text that a code stands for.
      bits_per_byte: by size of M2, of trained models; empty where there are none.
    """

    name: str
    compressor: compressors.Compressor
    bytes_per_step: float
    bits_per_byte: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
      context: tokens that M2 reads at most: slots of its caches, all of which a step reads.
      prompt_bytes: of the prompts behind "prefill_bytes_per_s" and "time_to_first_byte_ms".
      batches: texts that are generated side by side.
      steps: of a text, of which there are as many in a turn as fill a quarter of a second.
      rounds: turns of each method.
      how: the draws.
    """

    context: int = 512
    prompt_bytes: int = 250
    batches: tuple[int, ...] = (1, 4)
    steps: int = 32
    rounds: int = 5
    how: sampling.Sampling = dataclasses.field(default_factory=sampling.Sampling)


def measure_inference(
    sizes: Sequence[config.DecoderConfig],
    methods: Sequence[Method],
    text: bytes,
    settings: Settings,
) -> dict[str, Any]:
    """Generates with every method at every size and batch.

    Args:
      sizes: M2s of any vocabulary, which is replaced by that of each compressor.
      methods: the one that is called `inference_bars.REFERENCE` is what the others are held to.
      text: real text, more than `settings` ask for, which prompts and codes are taken from.
      settings: what is measured.

    Returns:
      "memory_bytes_per_s", "resident_bytes_per_s": bandwidths of reading a buffer that fits no
      cache, and one as large as the weights of the smallest model here, again and again.
      "bars": see `inference_bars.bars`.
      "rows", for each size, batch and method: "ms_per_step", the median of a decoder step, drawing
      and a copy of what was drawn to the host in it; "detokenise_ms_per_step", the median over
      rounds of all rows' codes together; "detokenise_share" of both; "bytes_per_step" of one text;
      "bytes_per_s" of all texts, both times counted; "ms_per_byte" of one text, its latency;
      "prefill_bytes_per_s"; "time_to_first_byte_ms", from a prompt to a byte of each text, or, if
      not "is_streamed", to the end of a text of `steps` codes; "warm_up_s", compiling included,
      which is kept out of all these; "weight_bytes_per_step": all parameters but the embedding's
      table, of which only rows are read, and M1's once for each byte and text where decoding runs
      it; "cache_bytes_per_step", of all slots, filled or not;
      "weight_bytes_per_s", of the decoder step alone and without M1's; "turns", rates of each
      round; and what `inference_bars.compare` adds.

    Raises:
      InputError: the text is too short.
    """
    rows: list[dict[str, Any]] = []
    memory = bandwidth.Bandwidth()
    least = min(sizes, key=lambda size: size.kernel_params())
    smallest = random_models.weight_bytes(random_models.with_codes(least, vocab.NUM_BYTES))
    resident = bandwidth.Bandwidth(smallest)

    turns = len(sizes) * len(settings.batches) * len(methods)
    with progress.bar("Timing inference", total=turns * (settings.rounds + 1)) as bar:
        for size in sizes:
            layers = random_models.random_layers(size)
            models = [_Model(size, layers, method, settings.context) for method in methods]
            for batch in settings.batches:
                subjects = []
                for model in models:
                    subjects.append(_Subject(model, batch, text, settings))
                    bar.update(1)
                for _ in range(settings.rounds):
                    for subject in subjects:
                        subject.take_turn(memory.measure(_READS))
                        resident.measure(_RESIDENT_READS)
                        bar.update(1)
                rows += [subject.row() for subject in subjects]
    inference_bars.compare(rows)
    bars = inference_bars.bars(rows, on_cpu=jax.default_backend() == "cpu")
    return {
        "context": settings.context,
        "prompt_bytes": settings.prompt_bytes,
        "steps": settings.steps,
        "rounds": settings.rounds,
        "memory_bytes_per_s": memory.bytes_per_s,
        "resident_bytes": smallest,
        "resident_bytes_per_s": resident.bytes_per_s,
        "rows": rows,
        "bars": [bar.to_dict() for bar in bars],
    }


class _Model:
    """A random M2 over a method's codes."""

    def __init__(
        self, size: config.DecoderConfig, layers: dict[str, Any], method: Method, context: int
    ) -> None:
        self.method = method
        self.config = random_models.with_codes(size, method.compressor.vocab_size)
        model = decoder.Decoder(self.config)
        params = layers | random_models.random_ends(self.config)
        self.network = decoding.Network(model, params, context)
        self.generator = generator.Generator(model, params, method.compressor, context)
        self.texts = code_texts.texts_of_codes(method.compressor)


class _Subject:
    """A model at one batch, compiled and warm, and what was measured of it."""

    def __init__(self, model: _Model, batch: int, text: bytes, settings: Settings) -> None:
        started = time.perf_counter()
        self._model, self._batch, self._settings = model, batch, settings
        self._network, self._method = model.network, model.method
        self._is_streamed = model.generator.is_streamed
        parts = _parts(text, batch, model.method, settings)
        self._prompts = [part[: settings.prompt_bytes] for part in parts]
        if not self._is_streamed:
            # What is decoded as a whole can only begin with nothing.
            self._prompts = [b""] * batch
        self._read = [
            self._method.compressor.encode(prompt)[1 - settings.context :] + vocab.NUM_SPECIAL_IDS
            for prompt in self._prompts
        ]
        # Of other text than the prompts': what M1 said of those is remembered.
        others = [part[settings.prompt_bytes :] for part in parts]
        self._codes_BT = _codes(self._method, others, settings.steps, self._is_streamed)
        self._allowed_1V = jnp.ones((1, model.config.padded_vocab_size), bool)
        self._keys_B = jax.random.split(jax.random.key(0), batch)
        self._rows: decoding.Rows | None = None
        self._number = 0
        self._seed = self._seed_with_bytes() if self._is_streamed else 0
        self._seconds: dict[str, list[float]] = {}
        self._turns: list[dict[str, float]] = []
        self._own_bytes = random_models.weight_bytes(model.config, batch)
        self.take_turn(math.nan)
        # What a turn compiles or loads at its first time counts for nothing.
        self._warm_up_s = time.perf_counter() - started
        self._seconds, self._turns = {}, []

    def take_turn(self, memory_bytes_per_s: float) -> None:
        """Prefills at first, and generates on; the bandwidth was measured just before."""
        if len(self._turns) < _PREFILL_TURNS:
            self._time("prefill", self._prefill)
            if self._is_streamed:
                self._time("first_byte", self._to_first_byte)
        steps: list[float] = []
        detokenising = 0.0
        while sum(steps) < _TURN_S:
            detokenising += self._generate_text(steps)
        detokenising /= len(steps)
        step = statistics.median(steps)
        self._seconds.setdefault("step", []).extend(steps)
        self._seconds.setdefault("detokenise", []).append(detokenising)
        turn = {
            "bytes_per_s": self._batch * self._method.bytes_per_step / (step + detokenising),
            "weight_bytes_per_s": self._own_bytes / step,
            "memory_bytes_per_s": memory_bytes_per_s,
        }
        self._turns.append(turn)

    def _generate_text(self, steps: list[float]) -> float:
        """Adds the seconds of each step; returns those that all codes took on their way back."""
        compressor, texts = self._method.compressor, self._model.texts
        streams = [code_texts.CodeStream(compressor, texts) for _ in self._prompts]
        detokenising = 0.0
        for codes_B in self._codes_BT.T:
            self._number += 1
            began = time.perf_counter()
            self._network.step(
                self._rows,
                codes_B + np.int32(vocab.NUM_SPECIAL_IDS),
                self._allowed_1V,
                self._keys_B,
                self._number,
                self._settings.how,
            )
            stepped = time.perf_counter()
            for stream, code in zip(streams, codes_B, strict=True):
                stream.push(int(code))
            detokenising += time.perf_counter() - stepped
            steps.append(stepped - began)
        began = time.perf_counter()
        for stream in streams:
            stream.finish()
        return detokenising + time.perf_counter() - began

    def row(self) -> dict[str, Any]:
        """What was measured, as `measure_inference` says."""
        seconds = {name: statistics.median(values) for name, values in self._seconds.items()}
        method, compressor = self._method, self._method.compressor
        step, detokenise = seconds["step"], seconds["detokenise"]
        both = step + detokenise
        m1_bytes = 4 * compressor.m1_params * method.bytes_per_step * self._batch
        prompt_bytes = self._batch * self._settings.prompt_bytes
        first_byte = seconds.get("first_byte", seconds["prefill"] + both * self._settings.steps)
        return {
            "size": self._model.config.size,
            "params": self._model.config.kernel_params(),
            "method": method.name,
            "batch": self._batch,
            "vocab_size": compressor.vocab_size,
            "is_compiled": compressor.kind in _COMPILED,
            "is_streamed": self._is_streamed,
            "runs_m1": compressor.runs_m1,
            "ms_per_step": 1e3 * step,
            "bytes_per_step": method.bytes_per_step,
            "detokenise_ms_per_step": 1e3 * detokenise,
            "detokenise_share": detokenise / both,
            "bytes_per_s": self._batch * method.bytes_per_step / both,
            "ms_per_byte": 1e3 * both / method.bytes_per_step,
            "time_to_first_byte_ms": 1e3 * first_byte,
            "prefill_bytes_per_s": prompt_bytes / seconds["prefill"] if self._is_streamed else None,
            "warm_up_s": self._warm_up_s,
            "weight_bytes_per_step": self._own_bytes + m1_bytes,
            "cache_bytes_per_step": sum(leaf.nbytes for leaf in jax.tree.leaves(self._rows.cache)),
            "weight_bytes_per_s": self._own_bytes / step,
            "turns": self._turns,
            "bits_per_byte": method.bits_per_byte.get(self._model.config.size),
        }

    def _time(self, name: str, work: Callable[[], Any]) -> None:
        began = time.perf_counter()
        work()
        self._seconds.setdefault(name, []).append(time.perf_counter() - began)

    def _prefill(self) -> None:
        self._rows = None  # gives its memory back
        self._rows, _ = self._network.prefill(self._read, 1)
        jax.block_until_ready(self._rows.cache)

    def _generate(self, seed: int) -> Iterator[list[bytes]]:
        return self._model.generator.generate(
            self._prompts, max_bytes=1, how=self._settings.how, seed=seed
        )

    def _to_first_byte(self) -> None:
        for _ in self._generate(self._seed):
            pass

    def _seed_with_bytes(self) -> int:
        """A seed by which every text gets a byte, and not EOS at once."""
        for seed in range(_SEEDS):
            texts = [b"".join(pieces) for pieces in zip(*self._generate(seed), strict=True)]
            if all(texts):
                return seed
        raise errors.InputError(f"{self._method.name}: random draws gave no text.")


def _parts(text: bytes, batch: int, method: Method, settings: Settings) -> list[bytes]:
    """A part of the text for each row, of the length that `steps` codes and a prompt need."""
    size = len(text) // batch
    if method.compressor.runs_m1:
        # Slow to encode: as little as will do.
        size = min(size, settings.prompt_bytes + round(2 * settings.steps * method.bytes_per_step))
    return [text[row * size : (row + 1) * size] for row in range(batch)]


def _codes(method: Method, parts: Sequence[bytes], steps: int, is_streamed: bool) -> np.ndarray:
    """int32[B, T]: codes of each part's beginning; T is `steps`, or less of what is not streamed.

    What is decoded as a whole has to be whole: texts that are coded in at most `steps` codes.
    """
    compressor = method.compressor
    rows = []
    for part in parts:
        if is_streamed:
            need = round(4 * steps * method.bytes_per_step) + 64
            codes = compressor.encode(part[:need])
        else:
            size = round(steps * method.bytes_per_step)
            codes = compressor.encode(part[:size])
            while len(codes) > steps:
                size = size * 9 // 10
                codes = compressor.encode(part[:size])
        rows.append(codes[:steps])
    length = min(map(len, rows))
    if not length or (is_streamed and length < steps):
        raise errors.InputError(
            f"{method.name}: the text is too short for {len(parts)} x {steps} codes: give more."
        )
    if not is_streamed:
        # Side by side rows have to be equally long; each is a whole text, so all take one of them.
        shortest = min(rows, key=len)
        rows = [shortest] * len(rows)
    return np.stack([row[:length] for row in rows]).astype(np.int32)
