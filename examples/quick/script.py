"""A pipeline in a plain script: no project, no server, no `if __name__ == "__main__"`.

python examples/quick/script.py
"""

import pandas as pd
from sklearn.datasets import load_wine

from treadle import pipeline, tool


@tool
def load() -> pd.DataFrame:
    return load_wine(as_frame=True).frame


@tool
def strongest(data: pd.DataFrame, target: int) -> dict[str, float]:
    """The three measurements that tell this kind of wine best from the others."""
    is_kind = (data["target"] == target).astype(float)
    strength = data.drop(columns="target").corrwith(is_kind).abs().nlargest(3)
    return {name: round(value, 3) for name, value in strength.items()}


@tool
def together(kinds: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {f"wine {number}": kind for number, kind in enumerate(kinds)}


@pipeline
def compare():
    """What makes each of three wines different?"""
    data = load()
    return together([strongest(data, target) for target in range(3)])


run = compare.run()
print(f"run {run.id}: {run.state}")
for wine, measurements in run["together"].result().items():
    print(wine, measurements)
