"""Which house a command talks to: a server, or a data directory on this machine.

A command takes a `Where` as its first parameter. typer knows no groups of options, so `spelt_out`
gives it a function that takes the fields of the `Where` as options of its own.
"""

import functools
import inspect
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import Any

import typer

from treadle.cli.choice import chosen
from treadle.cli.door import Door
from treadle.cli.opening import opened
from treadle.cli.options import DataDir, Server, Slots
from treadle.errors import InvalidRequest
from treadle.server.settings import Settings

TYPED = "COMMANDLINE"  #: what click calls the source of a value that was typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the command line and the environment say. typed: names of what was typed here."""

    server: Server = None
    data_dir: DataDir = None
    typed: frozenset[str] = field(default=frozenset(), metadata={"option": False})

    def settings(self) -> Settings:
        """As `choice.chosen`."""
        return chosen(self.server, self.data_dir, self.typed, **self._more())

    def _more(self) -> dict[str, Any]:
        return {}

    def opened(self, *, start: bool) -> AbstractContextManager[Door]:
        """A door to it, as `opening.opened`."""
        return opened(self.settings(), start=start)

    @property
    def options(self) -> str:
        """What a next command needs to find the same, " --server URL" for instance; or ""."""
        chosen, usual = self.settings(), Where().settings()
        if "server" in self.typed and chosen.server != usual.server:
            return f" --server {shlex.quote(chosen.server)}"
        if "data_dir" in self.typed and (chosen.data_dir != usual.data_dir or usual.server):
            return f" --data-dir {shlex.quote(str(chosen.data_dir))}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereToRun(Where):
    """For commands that start an engine where none is alive."""

    slots: Slots = None

    def settings(self) -> Settings:
        """Raises InvalidRequest for slots of a server, too."""
        found = Where.settings(self)
        if found.server and "slots" in self.typed:
            raise InvalidRequest(
                f"--slots is for an engine that this command starts, and {found.server} has its "
                "own.",
                hint="Leave --slots out; `treadle up --slots N` says it for the server.",
            )
        return found

    def _more(self) -> dict[str, Any]:
        return {"slots": self.slots}


def spelt_out(command: Callable[..., None]) -> Callable[..., None]:
    """The command, its `Where` taken apart into options, which stand last."""
    first, *others = inspect.signature(command, eval_str=True).parameters.values()
    kind = first.annotation
    if not (isinstance(kind, type) and issubclass(kind, Where)):
        return command
    taken = [
        inspect.Parameter(each.name, first.KEYWORD_ONLY, default=None, annotation=each.type)
        for each in fields(kind)
        if each.metadata.get("option", True)
    ]
    names = [each.name for each in taken]

    @functools.wraps(command)
    def called(context: typer.Context, **given: Any) -> None:
        sources = {name: context.get_parameter_source(name) for name in names}
        typed = frozenset(n for n, source in sources.items() if source and source.name == TYPED)
        where = kind(**{name: given.pop(name) for name in names}, typed=typed)
        command(where, **given)

    return _announced(called, [*others, *taken])


def _announced(
    called: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """The function, saying that it takes these parameters, and before them the context."""
    kind = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("context", kind, annotation=typer.Context)
    taken = [context, *(each.replace(kind=kind) for each in parameters)]
    announced: Any = called
    announced.__signature__ = inspect.Signature(taken)
    announced.__annotations__ = {each.name: each.annotation for each in taken}
    return called
