"""Which steps are alike: the same tool, at the same depth, between steps that are alike."""

import heapq
from collections.abc import Hashable, Iterable, Mapping

from treadle.model.graph import Parents, topological
from treadle.model.states import JOB_ENDS, JOB_LEASED, JobState

ROUNDS = 30  #: of telling steps apart; fewer can only draw too few of them apart
_ENDS_TOLD = (JobState.ABORTED, JobState.COMPLETED, JobState.REUSED, JobState.SKIPPED)


def classes(kinds: Mapping[str, Hashable], parents: Parents) -> dict[str, int]:
    """Step -> number of its class. Classes form a DAG: each lies on one depth."""
    depth, children = depths(parents), children_of(parents)
    found = _numbered({name: (kinds[name], depth[name]) for name in parents})
    for _ in range(ROUNDS):
        finer = _numbered(
            {
                name: (
                    found[name],
                    frozenset(found[parent] for parent in above),
                    frozenset(found[child] for child in children[name]),
                )
                for name, above in parents.items()
            }
        )
        if max(finer.values(), default=0) == max(found.values(), default=0):
            break
        found = finer
    return found


def _numbered(keys: Mapping[str, Hashable]) -> dict[str, int]:
    numbers: dict[Hashable, int] = {}
    return {name: numbers.setdefault(key, len(numbers)) for name, key in keys.items()}


def children_of(parents: Parents) -> dict[str, list[str]]:
    """Step -> those that wait for it, in the order given."""
    found: dict[str, list[str]] = {name: [] for name in parents}
    for name, above in parents.items():
        for parent in above:
            found[parent].append(name)
    return found


def depths(parents: Parents) -> dict[str, int]:
    """Length of the longest way to each step."""
    found: dict[str, int] = {}
    for name in topological(parents):
        found[name] = max((found[parent] + 1 for parent in parents[name]), default=0)
    return found


def in_order(parents: Parents) -> list[str]:
    """Parents first, and otherwise as given."""
    place = {name: index for index, name in enumerate(parents)}
    children = children_of(parents)
    missing = {name: len(above) for name, above in parents.items()}
    ready = [place[name] for name, count in missing.items() if count == 0]
    names, order = list(parents), []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for child in children[name]:
            missing[child] -= 1
            if missing[child] == 0:
                heapq.heappush(ready, place[child])
    return order


def state_of(counts: Mapping[JobState, int]) -> JobState | None:
    """The one state that tells most of many: a failure, then what goes on, then how all ended."""
    present = [state for state in JobState if counts.get(state)]
    if len(present) <= 1:
        return present[0] if present else None
    if JobState.FAILED in present:
        return JobState.FAILED
    if _all(present, JOB_ENDS):
        return next(state for state in _ENDS_TOLD if state in present)
    return JobState.RUNNING if any(s in JOB_LEASED for s in present) else JobState.WAITING


def _all(present: Iterable[JobState], among: frozenset[JobState]) -> bool:
    return all(state in among for state in present)
