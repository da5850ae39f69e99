"""Text from a trained M2: its codes, drawn one after another, back through its compressor."""

import os
import pathlib
from collections.abc import Collection, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from eiw import compressors, errors, vocab
from eiw.inference import (
    canonical,
    code_texts,
    decoding,
    emission,
    exact_bytes,
    sampling,
    ways,
    ways_on,
)
from eiw.models import decoder
from eiw.training import checkpoint, run_record

_FIRST_CODE = vocab.NUM_SPECIAL_IDS
_draw = jax.jit(sampling.draw, static_argnames="kind")
# Bytes of a prompt that are looked at, for each token that the network can read: more than codes
# stand for, so that only what is out of reach is dropped before it is compressed.
_BYTES_A_TOKEN = 64


class Generator:
    """An M2 and the compressor that it was trained on.

    Args:
      model: the network.
      params: its parameters.
      compressor: makes and reads its codes.
      context: tokens it reads at most: those of an example in training.

    Attributes:
      compressor: as given.
      is_streamed: whether text comes while codes do, or all at the end: see `CodeStream`.
      longest_prompt: bytes of a prompt that are looked at, its last ones (`kept`).
      approximation: what is not exact about how prompts are gone on with; "" for nothing.

    Raises:
      ArtefactError: the network has another number of codes than the compressor.
    """

    def __init__(
        self,
        model: decoder.Decoder,
        params: dict,
        compressor: compressors.Compressor,
        context: int,
    ) -> None:
        num_ids = compressor.vocab_size + _FIRST_CODE
        if model.config.vocab_size != num_ids:
            raise errors.ArtefactError(
                f"The model has {model.config.vocab_size:,} ids and {compressor.name} needs "
                f"{num_ids:,}: give the compressor that the model was trained on."
            )
        self.compressor = compressor
        self.longest_prompt = _BYTES_A_TOKEN * context
        self._network = decoding.Network(model, params, context)
        self._texts = code_texts.texts_of_codes(compressor)
        self._parses = None
        if self._texts is not None:
            self._parses = canonical.CanonicalParses(self._texts)
        self._takes_longest = code_texts.takes_longest(compressor)
        self._ways = ways_on.ways_on(compressor, self._parses)
        self.approximation = self._ways.approximation
        self.is_streamed = code_texts.CodeStream(compressor, self._texts).is_streamed
        allowed_C1 = np.ones(compressor.vocab_size + 1, bool)
        if self._parses is not None:
            allowed_C1 = self._parses.allowed(())
        self._has_text_C1 = allowed_C1
        self._allowed_1V = jnp.asarray(self._on_ids(allowed_C1)[None])

    @classmethod
    def load(
        cls,
        run_dir: str | os.PathLike,
        compressor: str | os.PathLike,
        *,
        allow_mismatch: Collection[str] = (),
    ) -> "Generator":
        """Opens a run of `eiw train` or `eiw smoke`, and the compressor of its tokens.

        Args:
          run_dir: holds config.json and checkpoints/; the newest whole one counts.
          compressor: folder of a saved compressor.
          allow_mismatch: see `compressors.load`.

        Raises:
          ArtefactError: there is no checkpoint, or no record of the compressor; or this compressor
            is missing, damaged or another one.
        """
        run_dir = pathlib.Path(run_dir)
        if not checkpoint.steps(run_dir):
            raise errors.ArtefactError(f"{run_dir} holds no checkpoint: train a model there first.")
        data = run_record.data_of_run(run_dir, "compressor", "compressor_fingerprint", "length")
        opened = compressors.load(compressor, allow_mismatch=allow_mismatch)
        expected = data["compressor_fingerprint"]
        if opened.fingerprint != expected:
            raise errors.ArtefactError(
                f"{run_dir} was trained on codes of {data['compressor']} ({expected[:12]}), and "
                f"{compressor} is {opened.name} ({opened.fingerprint[:12]}): its codes mean "
                "something else. Give the compressor that made the tokens of the run."
            )
        model, params, _ = checkpoint.load_model(run_dir)
        return cls(model, params, opened, data["length"])

    def generate(
        self,
        prompts: Sequence[bytes],
        *,
        max_bytes: int = 256,
        how: sampling.Sampling = sampling.Sampling(),  # noqa: B008
        seed: int = 0,
    ) -> Iterator[list[bytes]]:
        """Goes on with prompts, side by side.

        A prompt may end inside of what a code stands for. Then its codes are given back up to where
        they are sure, and the next are drawn among all the ways on that begin with the rest (see
        `ways`): one draw, to which temperature, top k and top p are applied once.

        Sequences longer than the network's context roll on: each code then sees the last `context`
        of those before it, through codes that saw theirs.

        Args:
          prompts: any bytes, of which the end counts (`kept`).
          max_bytes: of each row; a row also stops at EOS, or at codes that are none of any text,
            and one that is not streamed after as many codes.
          how: the draws.
          seed: of the draws, 32 bits. A row's depend on its own number, not on the other rows.

        Yields:
          For each step the new bytes of each row, without the prompt's; they may end inside of a
          character. What is not streamed comes last.

        Raises:
          InputError: a prompt, where codes of longer texts are not known (`ways_on.NoWays`); or a
            seed of more than 32 bits.
        """
        if not 0 <= seed < 2**32:
            raise errors.InputError(f"seed={seed} must be from 0 to {2**32 - 1:,}.")
        batch = len(prompts)
        keys_B = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.arange(batch))
        parses = self._parses if self._takes_longest else None
        rows = [emission.Emission(self._texts, self.compressor, max_bytes, parses) for _ in prompts]
        state, firsts, forks = self._begin(prompts, keys_B, how)
        for row, fork in zip(rows, forks, strict=True):
            row.begin(*fork)
        ids_B = np.full(batch, vocab.EOS_ID, np.int32)
        step = 0
        while True:
            pieces = []
            for number, row in enumerate(rows):
                pieces.append(b"" if row.done else row.take(int(firsts[number])))
                ids_B[number] = vocab.EOS_ID if row.done else firsts[number]
            yield pieces
            if all(row.done for row in rows):
                return
            step += 1
            firsts = self._network.step(state, ids_B, self._masks(rows), keys_B, step, how)

    def kept(self, prompt: bytes) -> bytes:
        """The end of a prompt that is looked at: more than the network reads; of blocks, whole."""
        start = max(0, len(prompt) - self.longest_prompt)
        return prompt[start // self._ways.alignment * self._ways.alignment :]

    def score(self, text: bytes, *, stride: int | None = None) -> float:
        """Nats that M2 pays for a text and its EOS.

        Given its codes: what the text's other parses weigh is not counted (see `exact_bytes`).

        Args:
          text: any bytes.
          stride: tokens that each context scores, its last ones; None: contexts one after another.

        Raises:
          InputError: the stride is no part of a context.
        """
        codes = self.compressor.encode(text)
        ids = np.append(codes + _FIRST_CODE, vocab.EOS_ID).astype(np.int32)
        return self._network.nats(ids, stride)

    def byte_model(self) -> exact_bytes.ExactBytes:
        """M2 as a model of bytes, with exact probabilities: what can drive a coder.

        Raises:
          InputError: the encoder does not take the longest entries of a dictionary.
        """
        if not self._takes_longest:
            raise errors.InputError(
                f"{self.compressor.name} is cut otherwise than into longest entries, so the bytes' "
                "exact probabilities are not known: use an M2 of bytes, of compiled exact windows "
                "or of Tunstall's dictionary with the greedy parse."
            )
        codes = exact_bytes.NetworkCodes(self._network, self.compressor.vocab_size)
        return exact_bytes.ExactBytes(self._parses, codes)

    def _begin(
        self, prompts: Sequence[bytes], keys_B: jax.Array, how: sampling.Sampling
    ) -> tuple[decoding.Rows, np.ndarray, list[tuple[ways.Ways, int]]]:
        """Prefills and draws the first id of each row, int32[B], behind a fork of its ways."""
        room = self._network.context - 1
        known = {
            prompt: self._ways.after(self.kept(prompt), room) for prompt in dict.fromkeys(prompts)
        }
        firsts, reads = {}, []
        for prompt, way in known.items():
            firsts[prompt] = len(reads)
            reads += way.reads(room)
        places = {prompt: way.places() for prompt, way in known.items()}
        last = 1 + max(back for each in places.values() for _, back in each)
        # Filled up, so that there are few programs to compile; the ways below likewise.
        reads += reads[:1] * (decoding.power_of_two(len(reads)) - len(reads))
        ids = [np.array(codes, np.int32) + _FIRST_CODE for codes in reads]
        state, logits_RKV = self._network.prefill(ids, last)
        weights = {}
        for prompt, way in known.items():
            logits_KV = [
                logits_RKV[firsts[prompt] + read, last - 1 - back] for read, back in places[prompt]
            ]
            weighed = ways.log_weights(way.forks, self._log_p(np.stack(logits_KV)))
            weighed[:, ~self._has_text_C1] = -np.inf
            filled = decoding.power_of_two(len(weighed)) - len(weighed)
            weighed = np.pad(weighed, ((0, filled), (0, 0)), constant_values=-np.inf)
            weights[prompt] = jnp.asarray(weighed.reshape(1, -1), jnp.float32)
        drawn_B, forks = np.zeros(len(prompts), np.int32), []
        for number, prompt in enumerate(prompts):
            keys = keys_B[number : number + 1]
            drawn = int(_draw(keys, weights[prompt], how.kind, how.numbers)[0])
            fork, code = divmod(drawn, self.compressor.vocab_size + 1)
            is_eos = code == self.compressor.vocab_size
            drawn_B[number] = vocab.EOS_ID if is_eos else code + _FIRST_CODE
            forks.append((known[prompt], fork))
        taken = [places[prompt][fork] for prompt, (_, fork) in zip(prompts, forks, strict=True)]
        numbers = [firsts[prompt] + read for prompt, (read, _) in zip(prompts, taken, strict=True)]
        state = self._network.take(state, np.array(numbers), np.array([back for _, back in taken]))
        return state, drawn_B, forks

    def _log_p(self, logits_KV: np.ndarray) -> np.ndarray:
        """float64[K, C + 1] of codes and, last, EOS: what else has a logit is never emitted."""
        codes_KC = logits_KV[:, _FIRST_CODE : _FIRST_CODE + self.compressor.vocab_size]
        both = np.concatenate([codes_KC, logits_KV[:, vocab.EOS_ID, None]], axis=1, dtype=float)
        return np.stack([row - ways.log_sum(row) for row in both])

    def _masks(self, rows: Sequence[emission.Emission]) -> jax.Array | np.ndarray:
        """bool[B, V] or [1, V]: the ids that may be drawn next."""
        if not any(row.walks for row in rows):
            return self._allowed_1V
        return np.stack([self._on_ids(self._parses.allowed(row.walks)) for row in rows])

    def _on_ids(self, codes_C1: np.ndarray) -> np.ndarray:
        """bool[C + 1] of codes and EOS -> bool[V] of the network's ids."""
        mask_V = np.zeros(vocab.padded_vocab_size(len(codes_C1) - 1 + _FIRST_CODE), bool)
        mask_V[_FIRST_CODE : _FIRST_CODE + len(codes_C1) - 1] = codes_C1[:-1]
        mask_V[vocab.EOS_ID] = codes_C1[-1]
        return mask_V
