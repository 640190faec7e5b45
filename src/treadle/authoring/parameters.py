"""Parameters given as text (`-p test_size=0.25`), read by the types that the schema allows."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from treadle.authoring.signatures import Parameters
from treadle.model.text_parameters import Schema, read_texts


def from_text(
    of: Schema | Callable[..., Any], text: Mapping[str, str], *, where: str = ""
) -> dict[str, Any]:
    """The values that the texts stand for.

    of: a schema of parameters, or the function (tool, pipeline) that has them.
    Raises InvalidParameters for an unknown name, or text that cannot be read as what is wanted.
    """
    return read_texts(of if isinstance(of, Mapping) else _schema_of(of), text, where=where)


def _schema_of(function: Callable[..., Any]) -> Schema:
    parameters = getattr(function, "parameters", None)
    if isinstance(parameters, Parameters):
        return parameters.schema
    return Parameters.of(inspect.unwrap(function), getattr(function, "__name__", "")).schema
