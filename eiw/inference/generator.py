"""Text from a trained M2: its codes, drawn one after another, back through its compressor."""

import math
import os
import pathlib
from collections.abc import Collection, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from eiw import compressors, errors, vocab
from eiw.inference import canonical, code_texts, decoding, exact_bytes, sampling
from eiw.models import decoder
from eiw.training import checkpoint, run_record

_FIRST_CODE = vocab.NUM_SPECIAL_IDS
_draw = jax.jit(sampling.draw, static_argnames="how")
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
      longest_prompt: bytes of a prompt that are looked at, its last ones.

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
        self.is_streamed = code_texts.CodeStream(compressor, self._texts).is_streamed
        allowed_C1 = np.ones(compressor.vocab_size + 1, bool)
        if self._parses is not None:
            allowed_C1 = self._parses.allowed(())
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

        A prompt that ends inside an entry of a dictionary is cut at the last boundary that is sure,
        and what follows is drawn among all the ways on that begin with the rest (`canonical`): one
        draw, to which temperature, top k and top p are applied once. Where the encoder does not
        take longest matches, the last code is drawn again among those whose text begins with its
        text. Windows that are not compiled to a code each go on as if the prompt's last one had
        ended, where a code ends with it; else M2 writes that one again, freely, as a part of what
        is new. Block streams (`is_streamed` is False) can only begin with nothing.

        Args:
          prompts: any bytes, of which the last `longest_prompt` count.
          max_bytes: of each row; a row also stops at EOS, or at codes that are none of any text,
            and one that is not streamed after as many codes.
          how: the draws.
          seed: of the draws. A row's draws depend on its own number, not on the other rows.

        Yields:
          For each step the new bytes of each row, without the prompt's; they may end inside of a
          character. What is not streamed comes last.

        Raises:
          InputError: a prompt that this compressor cannot go on with.
        """
        batch = len(prompts)
        keys_B = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.arange(batch))
        rows = [_Row(self._texts, self.compressor, max_bytes) for _ in prompts]
        state, firsts = self._begin(prompts, rows, keys_B, how)
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
        self,
        prompts: Sequence[bytes],
        rows: Sequence["_Row"],
        keys_B: jax.Array,
        how: sampling.Sampling,
    ) -> tuple[decoding.Rows, np.ndarray]:
        """Prefills and draws the first id of each row."""
        cut = [self._cut(prompt[-self.longest_prompt :]) for prompt in prompts]
        last = max(len(codes) - boundaries[0].codes + 1 for codes, boundaries in cut)
        # Of longer prompts the network reads the end.
        read = [codes[-(self._network.context - 1) :] for codes, _ in cut]
        state, logits_BKV = self._network.prefill([np.array(c) + _FIRST_CODE for c in read], last)
        drawn = np.zeros(len(rows), np.int32)
        for number, (codes, boundaries) in enumerate(cut):
            logits_KV = logits_BKV[number, last - (len(codes) - boundaries[0].codes + 1) :]
            log_p = self._log_p(logits_KV)
            weights = self._weigh(boundaries, codes, log_p)
            # Filled up, so that there are few programs to compile.
            filled = np.full((decoding.power_of_two(len(weights)), weights.shape[1]), -np.inf)
            filled[: len(weights)] = weights
            flat = jnp.asarray(filled.reshape(1, -1), jnp.float32)
            way = int(_draw(keys_B[number : number + 1], flat, how)[0])
            boundary, code = boundaries[way // weights.shape[1]], way % weights.shape[1]
            state.lengths_B[number] -= len(codes) - boundary.codes
            is_eos = code == self.compressor.vocab_size
            drawn[number] = vocab.EOS_ID if is_eos else code + _FIRST_CODE
            rows[number].begin(self._parses if self._takes_longest else None, boundary)
        return state, drawn

    def _cut(self, prompt: bytes) -> tuple[list[int], list[canonical.Boundary]]:
        """A prompt's codes as if it ended there, and where it may be cut to go on."""
        codes = self.compressor.encode(prompt).tolist()
        end = canonical.Boundary(len(codes), 0, b"", ())
        if self._takes_longest:
            boundaries = self._parses.boundaries(codes)
            room = self._network.context - 1
            return codes, [each for each in boundaries if len(codes) - each.codes <= room]
        if self._parses is not None:
            if not codes:
                return codes, [end]
            text = self._texts[codes[-1]]
            before = canonical.Boundary(len(codes) - 1, self._parses.node(text), text, ())
            return codes[:-1], [before]
        group = code_texts.codes_a_group(self.compressor)
        if prompt and not group:
            raise errors.InputError(
                f"The codes of {self.compressor.name} end with their text, so M2 cannot go on with "
                "one: give an empty prompt, or an M2 of a dictionary or of windows."
            )
        whole = len(codes) // group * group if group else 0
        return codes[:whole], [canonical.Boundary(whole, 0, b"", ())]

    def _weigh(
        self, boundaries: Sequence[canonical.Boundary], codes: Sequence[int], log_p: np.ndarray
    ) -> np.ndarray:
        """log weights of the ways on, float64[boundaries, C + 1], EOS last."""
        if self._takes_longest:
            return canonical.cover_log_weights(self._parses, boundaries, codes, log_p)
        if self._parses is None:
            return log_p
        (boundary,) = boundaries
        mask = self._parses.covering(boundary)
        if boundary.left_over:
            mask[self._parses.longest(boundary.left_over)] = True
        return np.where(mask, log_p, -np.inf)

    def _log_p(self, logits_KV: np.ndarray) -> np.ndarray:
        """float64[K, C + 1] of codes and, last, EOS: what else has a logit is never emitted."""
        codes_KC = logits_KV[:, _FIRST_CODE : _FIRST_CODE + self.compressor.vocab_size]
        ways = np.concatenate([codes_KC, logits_KV[:, vocab.EOS_ID, None]], axis=1, dtype=float)
        return np.stack([row - canonical.log_sum(row) for row in ways])

    def _masks(self, rows: Sequence["_Row"]) -> jax.Array | np.ndarray:
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


class _Row:
    """What is emitted of one text.

    Attributes:
      done: it has ended.
      walks: that the encoder left behind in the prompt (`canonical`).
    """

    def __init__(
        self, texts: Sequence[bytes] | None, compressor: compressors.Compressor, max_bytes: int
    ) -> None:
        self.done = max_bytes < 1
        self.walks: tuple[int, ...] = ()
        self._texts, self._room = texts, max_bytes
        self._stream = code_texts.CodeStream(compressor, texts)
        self._parses: canonical.CanonicalParses | None = None
        self._skip = 0
        # What is not streamed does not tell how long it is: as many codes as bytes were asked for.
        self._codes_left = math.inf if self._stream.is_streamed else max_bytes

    def begin(self, parses: canonical.CanonicalParses | None, boundary: canonical.Boundary) -> None:
        """Goes on from a boundary: what is left over there comes again, and is not new."""
        self._parses, self._skip = parses, len(boundary.left_over)
        self.walks = boundary.walks if parses else ()

    def take(self, id_: int) -> bytes:
        """The new bytes of one more id."""
        if id_ == vocab.EOS_ID:
            self.done = True
            return self._cut(self._stream.finish())
        code = id_ - _FIRST_CODE
        if self.walks:
            self.walks = self._parses.walk_on(self.walks, self._texts[code]) or ()
        try:
            piece = self._stream.push(code)
        except errors.InputError:
            # Windows of a text with EOS, and those that delayed windows never use, have no text.
            self.done = True
            return b""
        self._codes_left -= 1
        if not self._codes_left:
            self.done = True
            piece = self._stream.finish()
        piece, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
        return self._cut(piece)

    def _cut(self, piece: bytes) -> bytes:
        piece = piece[: self._room]
        self._room -= len(piece)
        self.done = self.done or not self._room
        return piece
