"""What steps take of each other: `step`, `step.output`, and lists and mappings of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.formats.problems import Path, Problems
from treadle.model.bindings import DEFAULT_OUTPUT, Binding, Entries, Items, Output
from treadle.model.graph import nearest


@dataclass(slots=True)
class Outputs:
    """The results of one step. is_open: it has whatever others take (a script that names none)."""

    names: dict[str, None] = field(default_factory=dict)
    is_open: bool = False

    @property
    def default(self) -> str | None:
        """The one meant by the step's name alone; None if that is not clear."""
        if self.is_open or DEFAULT_OUTPUT in self.names:
            return DEFAULT_OUTPUT
        return next(iter(self.names)) if len(self.names) == 1 else None

    def has(self, name: str) -> bool:
        """Whether there is such an output; one that is open has it from now on."""
        if self.is_open:
            self.names[name] = None
        return name in self.names


@dataclass(slots=True)
class References:
    """Resolves references between the steps of one file. steps: by name."""

    steps: Mapping[str, Outputs]
    problems: Problems

    def binding(self, reference: Any, path: Path) -> Binding | None:
        """The binding of an input; None, with the problem told, if it leads nowhere."""
        if isinstance(reference, str):
            return self._output(reference, path)
        if isinstance(reference, list):
            items = [self.binding(each, (*path, index)) for index, each in enumerate(reference)]
            return Items("list", tuple(each for each in items if each is not None))
        if isinstance(reference, dict):
            entries = {key: self.binding(each, (*path, key)) for key, each in reference.items()}
            return Entries({key: each for key, each in entries.items() if each is not None})
        hint = "Plain values belong under `parameters`."
        self.problems.add(path, f"an input is the result of a step, not {reference!r}.", hint)
        return None

    def _output(self, reference: str, path: Path) -> Output | None:
        step, dot, output = reference.partition(".")
        if step not in self.steps:
            self._refuse_step(step, reference, path)
            return None
        outputs = self.steps[step]
        if not dot:
            return self._default(step, outputs, path)
        if outputs.has(output):
            return Output(step, output)
        has = ", ".join(outputs.names) or "none"
        hint = nearest(output, outputs.names) or f"It has: {has}."
        self.problems.add(path, f"step {step!r} has no output {output!r}.", hint)
        return None

    def _default(self, step: str, outputs: Outputs, path: Path) -> Output | None:
        output = outputs.default
        if output is not None and outputs.has(output):
            return Output(step, output)
        if not outputs.names:
            self.problems.add(path, f"step {step!r} has no outputs.", "To wait for it use `after`.")
            return None
        several = " or ".join(f"{step}.{name}" for name in outputs.names)
        message = f"step {step!r} has several outputs: {', '.join(outputs.names)}."
        self.problems.add(path, message, f"Say which: {several}.")
        return None

    def _refuse_step(self, step: str, reference: str, path: Path) -> None:
        hint = nearest(step, self.steps)
        if not hint and len(self.steps) <= 8:
            hint = f"Steps: {', '.join(self.steps)}."
        self.problems.add(path, f"there is no step {step!r}.", hint)

    def check_after(self, step: str, path: Path) -> bool:
        if step in self.steps:
            return True
        outer = step.partition(".")[0]
        if outer in self.steps:
            hint = f"To wait for it write {outer!r}; to take the result use `inputs`."
            self.problems.add(path, f"`after` names steps, not outputs: {step!r}.", hint)
        else:
            self._refuse_step(step, step, path)
        return False
