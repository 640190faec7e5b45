"""Which names look secret: their values are masked wherever they would be shown or stored."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    "apikey auth credential credentials passphrase passwd password pwd secret secrets token".split()
)
_SECRET_KEYS = frozenset({"access", "account", "api", "encryption", "private", "signing"})
MASK = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Environment variables, told apart.

    plain: name -> value. names: name -> key of its secret value. values: key -> secret value.
    """

    plain: Mapping[str, str]
    names: Mapping[str, str]
    values: Mapping[str, str] = field(repr=False)


def looks_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret: DB_PASSWORD, apiKey, GITHUB_TOKEN.

    TOKENIZERS_PARALLELISM, MAX_TOKENS, AUTHOR and PRIMARY_KEY do not.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = itertools.pairwise(words)
    return any(word in _SECRET_WORDS for word in words) or any(
        first in _SECRET_KEYS and second == "key" for first, second in pairs
    )


def told_apart(given: Mapping[str, str], scope: str = "") -> Variables:
    """Which of the variables may be shown and stored. scope: goes before the keys of the secrets,
    so that those of one step are not those of another."""
    secret = {name: f"{scope}{name}" for name in given if looks_secret(name)}
    return Variables(
        plain={name: value for name, value in given.items() if name not in secret},
        names=secret,
        values={key: given[name] for name, key in secret.items()},
    )
