"""Whether who asks may do what is asked."""

from starlette.types import Scope

from treadle.api.http.operations import Operation
from treadle.api.http.state import House
from treadle.errors import Forbidden, NotFound
from treadle.model.access import CALL, Principal


def check_scope(principal: Principal, operation: Operation, scope: Scope, house: House) -> None:
    """Raises Forbidden. Looks at the path and at nothing else of the request."""
    if operation.scope is None or principal.may(operation.scope):
        return
    if operation.is_of_a_job and principal.callable_tools:
        _check_own(principal, scope["path_params"]["id"], house)
        return
    needed = repr(operation.scope)
    if operation.scope == "call":
        needed = f"'run', or {CALL + '<tool>'!r}"
    raise Forbidden(
        f"The token {principal.token!r} may not do this: it needs the scope {needed}.",
        hint=_advice(operation.scope),
    )


def _advice(scope: str) -> str:
    """Only an administrator makes tokens; and whoever uploads mostly wants to run it."""
    wanted = "run" if scope in ("call", "data") else scope
    return (
        "Ask who runs the server for such a token; they make it with "
        f"`treadle token create NAME --scope {wanted}`."
    )


def check_inline(principal: Principal) -> None:
    """Whether code of one's own may be sent to be called. Raises Forbidden."""
    if principal.may("run"):
        return
    raise Forbidden(
        f"The token {principal.token!r} may only call tools by their names.",
        hint='Send "tool": "NAME", with arguments as plain JSON.',
    )


def check_tool(principal: Principal, tool: str) -> None:
    """Whether a tool of this name may be called. Raises Forbidden."""
    if principal.may(CALL + tool):
        return
    raise Forbidden(
        f"The token {principal.token!r} may not call {tool[:80]!r}.",
        hint=f"It may call {', '.join(principal.callable_tools)}.",
    )


def _check_own(principal: Principal, job_id: str, house: House) -> None:
    """A job that is not there is refused in the same words as one of somebody else."""
    try:
        if house.ledger.read(lambda books: books.job(job_id)).user == principal.user:
            return
    except NotFound:
        pass
    raise Forbidden(
        f"The token {principal.token!r} may only see jobs of {principal.user!r}.",
        hint="Give the whole id of a job that was begun with it.",
    )
