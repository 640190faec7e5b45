"""Python source as a syntax tree, one at a time.

CPython 3.11 counts the depth of the trees it makes in one place for all threads, so that parsing in
two at once may raise SystemError (python/cpython issue 106905).
"""

import ast
import threading
import warnings

_one_at_a_time = threading.Lock()


def parsed(source: str | bytes) -> ast.Module:
    """The tree of a module. Raises SyntaxError, or ValueError for null bytes."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's own text: told when it runs
        return ast.parse(source)
