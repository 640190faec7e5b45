"""`${inputs.NAME}`, `${outputs.NAME}` and `${parameters.NAME}` in arguments and variables."""

import json
import re
from collections.abc import Mapping
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.model.graph import nearest

Texts = Mapping[str, Mapping[str, str]]  #: "inputs", "outputs", "parameters" -> name -> text
_TEMPLATE = re.compile(r"\$\$\{|\$\{(inputs|outputs|parameters)\.([^{}]*)\}")


def filled(text: str, texts: Texts) -> str:
    """The text with its templates filled in; `$${` stands for `${`.

    Raises InvalidDefinition for a name that is not there, with the nearest that is.
    """

    def replacement(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind is None:
            return "${"
        if name not in texts[kind]:
            raise InvalidDefinition(
                f"{match[0]}: the step has no {kind[:-1]} {name!r}.",
                hint=nearest(name, texts[kind]),
            )
        return texts[kind][name]

    return _TEMPLATE.sub(replacement, text) if "${" in text else text


def text_of(value: Any) -> str:
    """A parameter as text: strings as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
