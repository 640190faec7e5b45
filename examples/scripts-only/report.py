"""A report in Markdown. It gets its parameters as arguments, as any script might."""

import argparse
import statistics
from pathlib import Path

import treadle

arguments = argparse.ArgumentParser()
arguments.add_argument("--neighbours", type=int)
arguments.add_argument("--to", type=Path)
given = arguments.parse_args()

scores = treadle.inputs["scores"]
wines = len(treadle.inputs["table"]["kinds"])
right, spread = statistics.fmean(scores), statistics.pstdev(scores)
found = f"{wines} wines, each judged by {given.neighbours} neighbours: {right:.1%} are right"

lines = ["# Which wine is it?", "", f"{found}, give or take {spread:.1%}.", ""]
for number, score in enumerate(scores, start=1):
    lines.append(f"- part {number}: {score:.1%}")
given.to.write_text("\n".join(lines) + "\n")
print(found)
