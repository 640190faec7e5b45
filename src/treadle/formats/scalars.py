"""Plain scalars of YAML 1.2's core schema: `yes` and `on` are text, `010` is ten.

https://yaml.org/spec/1.2.2/#103-core-schema
"""

import functools
import math
import re
from typing import Any

_DIGITS = frozenset("-+.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+$")
_OTHER_BASE = re.compile(r"0o[0-7]+$|0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
LARGEST = 2**63  #: integers fit 64 bits, as databases and other languages want them


@functools.lru_cache(maxsize=4096)
def plain(text: str) -> Any:
    """What an unquoted scalar stands for.

    Raises ValueError, with a sentence, for a number that JSON cannot carry.
    """
    if not text or text[0] not in _DIGITS:
        return _WORDS.get(text, text)
    if _INTEGER.match(text):
        return integer(text)
    if _OTHER_BASE.match(text):
        return integer(text, 8 if text[1] == "o" else 16)
    if _FLOAT.match(text):
        return number(text)
    if _SPECIAL.match(text):
        raise ValueError(f"{text} is no number that JSON can carry.")
    return text


def integer(text: str, base: int = 10) -> int:
    value = int(text[2:] if base != 10 else text, base) if len(text) < 40 else LARGEST
    if not -LARGEST <= value < LARGEST:
        raise ValueError(f"{text[:20]}{'...' if len(text) > 20 else ''} does not fit 64 bits.")
    return value


def number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number that JSON can carry.")
    return value
