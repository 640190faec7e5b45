"""How often each side came up. Needs nothing but Python, any from 3.9 on."""

import platform
import sys
from collections import Counter

import treadle

counts = Counter(treadle.inputs["dice"].read_text().split())
print(f"Python {platform.python_version()} at {sys.executable}")
for side, count in sorted(counts.items()):
    print(side, "*" * (60 * count // sum(counts.values())), count)
    treadle.log_metric(f"side {side}", count)
treadle.output(dict(sorted(counts.items())), "counts")
