"""Which names look secret: their values are masked wherever they would be shown or stored."""

import itertools
import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    "apikey auth credential credentials passphrase passwd password pwd secret secrets token".split()
)
_SECRET_KEYS = frozenset({"access", "account", "api", "encryption", "private", "signing"})
MASK = "***"


def looks_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret: DB_PASSWORD, apiKey, GITHUB_TOKEN.

    TOKENIZERS_PARALLELISM, MAX_TOKENS, AUTHOR and PRIMARY_KEY do not.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = itertools.pairwise(words)
    return any(word in _SECRET_WORDS for word in words) or any(
        first in _SECRET_KEYS and second == "key" for first, second in pairs
    )
