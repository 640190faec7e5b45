"""A run of one step as a request's body: a function of the standard library, so no code to put."""

import json

from treadle.model.bindings import Value
from treadle.model.records import Code, Pipeline, Step, Submission, Tool
from treadle.model.wire import to_wire

TOOL = Tool(
    id="tool-text",
    name="text",
    version="1",
    code=Code(kind="snapshot", digest="", entry="json:dumps"),
)


def body() -> bytes:
    """`json.dumps(obj=[1, 2, 3])`."""
    step = Step(name="text", tool_id=TOOL.id, arguments={"obj": Value([1, 2, 3])})
    pipeline = Pipeline(name="one-step", version="1", tools=(TOOL,), steps=(step,))
    return json.dumps(to_wire(Submission(pipeline=pipeline))).encode()
