"""Compares one vectorized step for many seeds with one seed after the other.

    KERAS_BACKEND=jax python -m benchmarks.many_seeds [--output FILE]

The bare step of `benchmarks.joint_round`, on JAX: compiled for one seed and called for each in
turn, and put through `jax.vmap` over all seeds, then compiled. Every seed has minibatches of its
own. The two take turns, the median counts, and each seed's loss has to be the same in both.

Of each number of seeds: round_ms (of all seeds, by way), first_round_s (with compilation) and
ratio, the time of the vectorized step over that of one after the other.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import keras
import numpy as np

from benchmarks import joint_networks, joint_setting, output
from benchmarks.alternating import alternate
from benchmarks.joint_bare import BareStep, pure_step
from keras_compat.reporting import Run

ONE_BY_ONE, VECTORIZED = "one_by_one", "vectorized"
Round = Callable[[], np.ndarray]


def minibatches(chosen: joint_setting.Setting, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the first minibatch of each network in a seed's order."""
    found = []
    for network in range(chosen.networks):
        images, labels = chosen.data(network)
        rows = chosen.rows(network, seed)
        found.append((images[rows], labels[rows]))
    return found


def rounds(chosen: joint_setting.Setting, seeds: int) -> dict[str, Round]:
    """Returns a round of all seeds in each way; it returns the loss of each seed."""
    first, step = pure_step(BareStep(joint_networks.make_tasks(chosen), jit_compile=False))
    batches = [minibatches(chosen, seed) for seed in range(seeds)]
    together = jax.tree.map(lambda *arrays: np.stack(arrays), *batches)
    alone = jax.jit(step, donate_argnums=0)
    vectorized = jax.jit(jax.vmap(step), donate_argnums=0)
    # Copies: a step gives its arrays away.
    states = [jax.tree.map(lambda array: array + 0, first) for _ in range(seeds)]
    stacked = jax.tree.map(lambda array: jax.numpy.stack([array] * seeds), first)

    def one_by_one() -> np.ndarray:
        losses = []
        for seed in range(seeds):
            states[seed], loss = alone(states[seed], batches[seed])
            losses.append(loss)
        return np.asarray(losses)

    def at_once() -> np.ndarray:
        nonlocal stacked
        stacked, losses = vectorized(stacked, together)
        return np.asarray(losses)

    return {ONE_BY_ONE: one_by_one, VECTORIZED: at_once}


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--seeds", default="2,4", help="how many at once (2,4)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of each (5)")
    args = parser.parse_args()
    if keras.backend.backend() != "jax":
        parser.error("only JAX makes a vectorized step of one: set KERAS_BACKEND=jax")
    run = Run("many_seeds", {**vars(args), "output": None})
    chosen = joint_setting.setting(args, "float32")
    for seeds in map(int, args.seeds.split(",")):
        with run.phase(f"{seeds}_seeds"):
            timed = alternate(rounds(chosen, seeds), args.repeats)
        alone, together = timed[ONE_BY_ONE], timed[VECTORIZED]
        if not np.allclose(alone.first, together.first, rtol=1e-3):
            raise RuntimeError(f"the ways train differently: {alone.first}, {together.first}")
        for name, taken in timed.items():
            run.add("round_ms", round(taken.median_s * 1000, 1), seeds=seeds, variant=name)
            run.add("first_round_s", round(taken.first_s, 1), seeds=seeds, variant=name)
        run.add("ratio", round(together.median_s / alone.median_s, 3), seeds=seeds)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
