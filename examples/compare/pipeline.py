"""Train three kinds of model on one dataset, side by side, and keep the best.

treadle run examples/compare/pipeline.py -p dataset=digits
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import treadle
from treadle import pipeline, tool

STAGES = 10


@dataclass(frozen=True)
class Model:
    """A trained classifier and how well it does on rows it has not seen."""

    name: str
    classifier: Any
    accuracy: float
    log_loss: float


@tool
def load(name: Literal["wine", "digits", "breast_cancer"] = "wine") -> pd.DataFrame:
    """One of the datasets that scikit-learn ships; the column `target` is the class."""
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    print(f"{name}: {len(frame)} rows, {frame['target'].nunique()} classes")
    return frame


@tool(cpus=1, memory="1GB", retries=2, timeout="10m")
def train(data: pd.DataFrame, model: str, seed: int = 0) -> Model:
    """Fit the model stage by stage, and tell after each how well it does."""
    features, target = data.drop(columns="target"), data["target"]
    x, x_test, y, y_test = train_test_split(features, target, stratify=target, random_state=seed)
    for stage, classifier in enumerate(growing(model, x, y, seed), start=1):
        probabilities = classifier.predict_proba(x_test)
        accuracy = accuracy_score(y_test, classifier.classes_[probabilities.argmax(axis=1)])
        loss = log_loss(y_test, probabilities, labels=classifier.classes_)
        treadle.log_metric("accuracy", accuracy, step=stage)
        treadle.log_metric("log_loss", loss, step=stage)
        treadle.progress(stage, STAGES)
        print(f"stage {stage:2}: accuracy {accuracy:.3f}, log loss {loss:.3f}")
    return Model(name=model, classifier=classifier, accuracy=accuracy, log_loss=loss)


def growing(model: str, x: pd.DataFrame, y: pd.Series, seed: int) -> Iterator[Any]:
    """The classifier after each stage: more passes over the data, or more trees."""
    if model == "logistic":
        for passes in range(1, STAGES + 1):
            linear = SGDClassifier(loss="log_loss", max_iter=passes, tol=None, random_state=seed)
            yield make_pipeline(StandardScaler(), linear).fit(x, y)
    elif model == "forest":
        forest = RandomForestClassifier(warm_start=True, random_state=seed)
        for stage in range(1, STAGES + 1):
            yield forest.set_params(n_estimators=5 * stage).fit(x, y)
    elif model == "boosting":
        trees = HistGradientBoostingClassifier(
            learning_rate=0.3, max_leaf_nodes=6, warm_start=True, random_state=seed
        )
        for stage in range(1, STAGES + 1):
            yield trees.set_params(max_iter=2 * stage).fit(x, y)
    else:
        raise ValueError(f"there is no model {model!r}")


@tool
def best(models: list[Model]) -> dict[str, Any]:
    """A table of all, the most accurate first."""
    ranked = sorted(models, key=lambda model: (-model.accuracy, model.log_loss))
    table = [
        {"model": m.name, "accuracy": round(m.accuracy, 4), "log_loss": round(m.log_loss, 4)}
        for m in ranked
    ]
    treadle.log_metric("accuracy", ranked[0].accuracy)
    print(pd.DataFrame(table).to_string(index=False))
    return {"best": ranked[0].name, "models": table}


@pipeline
def compare(dataset: Literal["wine", "digits", "breast_cancer"] = "wine", seed: int = 0):
    """Train three kinds of model on one dataset and keep the best."""
    data = load(dataset)
    models = ("logistic", "forest", "boosting")
    return best([train.named(model)(data, model, seed) for model in models])
