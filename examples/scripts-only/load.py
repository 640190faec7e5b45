"""The wine data that ships with scikit-learn: 178 wines, 13 measurements, 3 growers."""

from sklearn.datasets import load_wine

import treadle

wine = load_wine()
print(f"{len(wine.data)} wines, {len(wine.feature_names)} measurements of each")
treadle.output(
    {"features": wine.data, "kinds": wine.target, "names": list(wine.feature_names)}, "table"
)
