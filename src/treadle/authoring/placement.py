"""How the next call of a tool is placed in a pipeline: name, resources, what it waits for."""

from dataclasses import dataclass, replace
from typing import Any, Self, Unpack

from treadle.authoring import handles, places
from treadle.model.options import ExecutionOptions, execution_from
from treadle.model.records import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How the next call of a tool is placed in a pipeline."""

    step: str = ""  #: the step's name; "" = from the tool's
    after: tuple[handles.StepResult, ...] = ()
    execution: Execution | None = None  #: None = as the tool says


UNPLACED = Placement()


class Placeable:
    """What can be a step.

    `named`, `options` and `after` return a variant for one use and leave this one as it is:
    `train.named("first").options(cpus=2).after(check)(data)`.
    """

    name: str
    execution: Execution
    where: str  #: "file:line" of the definition
    placement: Placement = UNPLACED
    original: Any  #: itself, or what this is a variant of

    def named(self, step: str) -> Self:
        """The same tool, for a step of this name."""
        return self._placed(replace(self.placement, step=step))

    def options(self, **options: Unpack[ExecutionOptions]) -> Self:
        """The same tool, for a step that asks for other resources, retries or limits."""
        base = self.placement.execution or self.execution
        execution = execution_from(
            base, options, owner=f"tool {self.name!r}", where=places.of_call()
        )
        return self._placed(replace(self.placement, execution=execution))

    def after(self, *steps: Any) -> Self:
        """The same tool, for a step that waits for these results without taking them."""
        found = tuple(handles.all_in(steps, where=places.of_call()))
        return self._placed(replace(self.placement, after=self.placement.after + found))

    def _placed(self, placement: Placement) -> Self:
        variant = object.__new__(type(self))
        vars(variant).update(vars(self), placement=placement)
        return variant
