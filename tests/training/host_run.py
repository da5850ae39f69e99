"""One host of several: trains the tiny network on a token file, as the tests start it.

[CHECKPOINT_EVERY=4] python host_run.py RUN_DIR TOKENS MESH STEPS COORDINATOR NUM_HOSTS HOST
"""

import json
import os
import pathlib
import sys

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)


def main(run_dir, tokens, mesh, steps, coordinator, num_hosts, host):
    from eiw.training import hosts

    if int(num_hosts) > 1:
        hosts.join(coordinator, int(num_hosts), int(host))

    import tiny_run

    from eiw.data import batches, token_files
    from eiw.evaluation import bits_per_byte
    from eiw.inference import contexts
    from eiw.training import loop

    tokens = token_files.open_tokens(tokens)
    model = tiny_run.tiny_model(dtype="float64")
    source = batches.TokenFileSource(
        tokens, 4, 16, 0, host=jax.process_index(), num_hosts=jax.process_count()
    )

    def evaluate(params):
        score = bits_per_byte.score(model, params, tokens, contexts.Contexts(16, None, 4))
        return {"bits_per_byte": score.bits_per_byte}

    config = loop.TrainConfig(
        steps=int(steps),
        log_every=1,
        evaluate_every=4,
        checkpoint_every=int(os.environ.get("CHECKPOINT_EVERY", 4)),
        mesh=json.loads(mesh),
    )
    loop.train(model, source, pathlib.Path(run_dir), config, evaluate=evaluate)


if __name__ == "__main__":
    main(*sys.argv[1:])
