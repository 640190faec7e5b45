"""What a tool's process finds around it: variables, and an environment with packages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.model.records import OWN_ENVIRONMENT, Environment
from treadle.model.secrets import Variables, told_apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """As a user wrote them. file: that they are written in; names of files are beside it."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: str | Mapping[str, Any] | None = None
    file: Path = Path()
    where: str = ""

    def within(self, outer: "Surroundings") -> "Surroundings":
        """These, with what they leave open from around them."""
        nearer = self if self.environment is not None else outer
        return Surroundings(
            env={**outer.env, **self.env},
            environment=nearer.environment,
            file=nearer.file,
            where=nearer.where,
        )

    def variables(self, scope: str) -> Variables:
        """scope: whose secrets they are."""
        return told_apart(self.env, scope)

    def read_environment(self) -> Environment:
        """The environment with all that its files say. Raises InvalidDefinition."""
        if self.environment is None:
            return OWN_ENVIRONMENT
        from treadle.formats.environments import read_environment  # noqa: PLC0415 - rarely needed

        return read_environment(self.environment, self.file.parent, self.where)


def surroundings(owner: str, options: dict[str, Any], file: str, where: str) -> Surroundings:
    """Take `env` and `environment` out of the options.

    owner: "tool 'train'". Raises InvalidDefinition for variables that are no text.
    """
    env = options.pop("env", None) or {}
    if not isinstance(env, Mapping) or not _all_text([*env, *env.values()]):
        raise InvalidDefinition(
            f"{owner}: env={env!r}: expected texts by name, such as {{'OMP_NUM_THREADS': '1'}}",
            where=where,
        )
    bad = [name for name in env if not name or "=" in name or "\0" in name + env[name]]
    if bad:
        raise InvalidDefinition(f"{owner}: a variable cannot be called {bad[0]!r}.", where=where)
    environment = options.pop("environment", None)
    return Surroundings(
        env=dict(env), environment=environment, file=Path(file).absolute(), where=where
    )


def _all_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
