"""Measurements of a line that nobody knows, with some noise."""

import random

import treadle

count = treadle.parameters["count"]
noise = treadle.parameters["noise"]
chance = random.Random(treadle.parameters["seed"])

points = []
for number in range(count):
    x = 10 * number / count
    points.append([x, 2 * x + 1 + chance.gauss(0, noise)])

print(f"measured {len(points)} points")
treadle.output(points, "points")
