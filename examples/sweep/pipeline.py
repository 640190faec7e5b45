"""How much does chance decide? One small network, trained from many seeds at a time.

Each training saves a checkpoint after every round, so that a retry goes on where the last attempt
stopped. `unlucky` makes some first attempts die half-way, to show it:

    treadle run examples/sweep/pipeline.py -p seeds=8 -p unlucky=true
"""

import os
import pickle
import statistics
from pathlib import Path
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import treadle
from treadle import pipeline, tool

ROUNDS = 8


@tool(retries=2, backoff="100ms", timeout="5m")
def train(seed: int, unlucky: bool = False) -> dict[str, Any]:
    """Train on the digits from one seed; go on from the checkpoint if there is one."""
    pixels, digits = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(pixels / 16, digits, random_state=0)
    checkpoint = treadle.scratch_dir() / f"network-{seed}.pickle"
    network, done = MLPClassifier((32,), learning_rate_init=0.01, random_state=seed), 0
    if checkpoint.exists():
        network, done = pickle.loads(checkpoint.read_bytes())
        print(f"attempt {treadle.attempt_number()} goes on after round {done}")
    for round_number in range(done + 1, ROUNDS + 1):
        network.partial_fit(x, y, classes=range(10))
        save(checkpoint, (network, round_number))
        treadle.log_metric("accuracy", network.score(x_test, y_test), step=round_number)
        treadle.progress(round_number, ROUNDS)
        if unlucky and seed % 2 and round_number == ROUNDS // 2 and done == 0:
            os._exit(1)
    return {"seed": seed, "accuracy": network.score(x_test, y_test), "resumed_after": done}


def save(file: Path, value: Any) -> None:
    """Whole or not at all: the process may end at any moment."""
    draft = file.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(value))
    draft.replace(file)


@tool
def spread(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation of the accuracy over the seeds."""
    accuracies = [result["accuracy"] for result in results]
    return {
        "seeds": len(results),
        "mean": round(statistics.mean(accuracies), 4),
        "deviation": round(statistics.pstdev(accuracies), 4),
        "resumed": sorted(r["seed"] for r in results if r["resumed_after"]),
    }


@pipeline
def sweep(seeds: int = 6, unlucky: bool = False):
    """Train one network from many seeds and tell how far the results lie apart."""
    return spread([train.named(f"seed-{seed}")(seed, unlucky) for seed in range(seeds)])
