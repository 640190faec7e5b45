"""A random forest, grown ten trees at a time."""

import os

from sklearn.ensemble import RandomForestClassifier

import treadle

STAGES = 10

data = treadle.inputs["data"]
features, target = data["train"].drop(columns="target"), data["train"]["target"]
unseen, answers = data["test"].drop(columns="target"), data["test"]["target"]

print(f"training with {os.environ['OMP_NUM_THREADS']} thread")
model = RandomForestClassifier(warm_start=True, random_state=0)
for stage in range(1, STAGES + 1):
    model.set_params(n_estimators=10 * stage).fit(features, target)
    treadle.log_metric("accuracy", model.score(unseen, answers), step=stage)
    treadle.progress(stage, STAGES)

treadle.output(model, "model")
