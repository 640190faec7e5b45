"""Ask each wine's nearest neighbours, in five parts of the data in turn."""

from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import treadle

FOLDS = 5

table = treadle.inputs["table"]
features, kinds = table["features"], table["kinds"]
scaler = StandardScaler() if treadle.parameters["scale"] else "passthrough"
model = make_pipeline(scaler, KNeighborsClassifier(treadle.parameters["neighbours"]))

scores = []
folds = StratifiedKFold(FOLDS, shuffle=True, random_state=treadle.parameters["seed"])
for number, (train, test) in enumerate(folds.split(features, kinds), start=1):
    model.fit(features[train], kinds[train])
    scores.append(model.score(features[test], kinds[test]))
    print(f"part {number}: {scores[-1]:.1%} of {len(test)} wines")
    treadle.log_metric("accuracy", sum(scores) / len(scores), step=number)
    treadle.progress(number, FOLDS)

treadle.output(scores, "scores")
treadle.output(model.fit(features, kinds), "model")
