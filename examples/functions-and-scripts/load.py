"""One of the datasets that scikit-learn ships; the column `target` is the class."""

from sklearn import datasets

import treadle

name = treadle.parameters["name"]
table = getattr(datasets, f"load_{name}")(as_frame=True).frame
print(f"{name}: {len(table)} rows, {table['target'].nunique()} classes")
treadle.output(table, "table")
