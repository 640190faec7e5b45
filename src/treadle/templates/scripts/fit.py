"""The straight line that lies closest to the points, and how far they are from it."""

from statistics import fmean, linear_regression

import treadle

points = treadle.inputs["points"]
slope, start = linear_regression([x for x, _ in points], [y for _, y in points])
error = fmean((start + slope * x - y) ** 2 for x, y in points) ** 0.5

treadle.log_metric("slope", slope)
treadle.log_metric("error", error)
print(f"y = {slope:.3f} x + {start:.3f}, give or take {error:.3f}")
treadle.output({"slope": slope, "start": start, "error": error}, "line")
