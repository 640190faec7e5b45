"""Which names look secret: their values are masked wherever they would be shown or stored."""

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    "apikey auth credential credentials passphrase passwd password pwd secret secrets token".split()
)
_SECRET_KEYS = frozenset(
    "access account api deploy encryption license master private service shared signing ssh "
    "storage".split()
)
_SECRET_ENDS = frozenset({"pass", "pat"})  # DB_PASS, GITHUB_PAT; not PASS_COUNT
MASK = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Environment variables, told apart.

    plain: name -> value. secrets: name -> key of the value in `values`, which is never shown.
    """

    plain: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def over(self, outer: "Variables") -> "Variables":
        """These and, where they are silent, the outer ones."""
        mine = {*self.plain, *self.secrets}
        plain = {name: text for name, text in outer.plain.items() if name not in mine}
        secrets = {name: key for name, key in outer.secrets.items() if name not in mine}
        return Variables(
            plain={**plain, **self.plain},
            secrets={**secrets, **self.secrets},
            values={**outer.values, **self.values},
        )


def looks_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret: DB_PASSWORD, apiKey, GITHUB_TOKEN.

    TOKENIZERS_PARALLELISM, MAX_TOKENS, AUTHOR and PRIMARY_KEY do not.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = itertools.pairwise(words)
    return (
        any(word in _SECRET_WORDS for word in words)
        or any(first in _SECRET_KEYS and second == "key" for first, second in pairs)
        or (len(words) > 1 and words[-1] in _SECRET_ENDS)
    )


def told_apart(given: Mapping[str, str], scope: str = "", also: Collection[str] = ()) -> Variables:
    """Which of the variables may be shown and stored. scope: goes before the keys of the secrets,
    so that those of one step are not those of another. also: names of secrets besides those that
    look so."""
    secret = {name: f"{scope}{name}" for name in given if looks_secret(name) or name in also}
    return Variables(
        plain={name: value for name, value in given.items() if name not in secret},
        secrets=secret,
        values={key: given[name] for name, key in secret.items()},
    )
