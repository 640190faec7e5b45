"""The runs list: which index its page is read from, and the statement that reads it.

A page is read in the order of an index, so that it costs no more than what it shows. With several
filters, those runs that fit the rarest one are read whole and sorted, if they are few. If they are
many, they are read in order until enough of them fit the other filters too, which then is soon.
Users and pipelines come and go: it is read from where the last filter begins to fit to where the
first does no more.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from treadle.interfaces import RunFilter
from treadle.model.ids import first_at
from treadle.storage.ledger.upkeep import LAST, QUERIES

FEW = {"created": 1000, "ended": 5000}  #: runs that are sooner read and sorted than searched for
NEVER = 1e12  #: seconds since 1970, behind every end
_ONLY_ENDED = """
   AND runs.ended_at NOT NULL
   AND (runs.ended_at, runs.id) > (:ended_above, :id_above)
   AND (runs.ended_at, runs.id) < (:ended_below, :id_below)"""
_ONLY_PIPELINE = "\n   AND runs.pipeline = :pipeline"
_ONLY_STATES = "\n   AND instr(:states, runs.state)"  # no state's name is part of another's
_ONLY_USER = "\n   AND runs.user = :user"
_ONLY_LABEL = """
   AND EXISTS (
     SELECT 1 FROM run_labels AS has
      WHERE has.run_id = runs.id AND has.key = :key AND has.value = :value
   )"""


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter. lists: which together read the runs that fit it; only: leaves out the others."""

    lists: tuple[str, ...]
    only: str
    values: dict[str, Any]


def page_of(db: sqlite3.Connection, query: RunFilter) -> list[str]:
    """Ids of the runs of a page, in its order."""
    if len(dict(query.labels)) < len(set(query.labels)):  # a key has one value
        return []
    statement, values = statement_of(db, query)
    return [row[0] for row in db.execute(statement, values)]


def statement_of(db: sqlite3.Connection, query: RunFilter) -> tuple[str, dict[str, Any]]:
    """The statement that reads a page, and what it binds."""
    conditions = _conditions(query)
    values = _bounds(query) | {"limit": query.limit}
    for condition in conditions:
        values |= condition.values
    by_end = query.sort == "ended"
    every = [condition.only for condition in conditions]
    if len(conditions) > 1 or (by_end and conditions):
        few = _rarest(db, conditions, values, FEW[query.sort])
        if few is not None:
            values["ids"] = json.dumps(few)
            lists = (_list("among"),)
            return _statement(lists, [_ONLY_ENDED, *every] if by_end else every, query), values
        values |= _extent(db, conditions, values)
    if values["above"] >= values["below"]:
        values["ids"], lists = "[]", (_list("among"),)
        return _statement(lists, (), query), values
    if by_end or not conditions:
        lists = (_list("ended" if by_end else "every"),)
        return _statement(lists, every, query), values
    return _statement(conditions[0].lists, every[1:], query), values


def _statement(lists: Sequence[str], only: Iterable[str], query: RunFilter) -> str:
    """The lists, less what does not fit, merged in one order."""
    way = "ASC" if query.oldest_first else "DESC"
    order = f"runs.ended_at {way}, runs.id {way}" if query.sort == "ended" else f"id {way}"
    conditions = "".join(only)
    merged = "\nUNION ALL\n".join(each + conditions for each in lists)
    return f"{merged}\n ORDER BY {order} LIMIT :limit"


def _rarest(
    db: sqlite3.Connection, conditions: Sequence[Condition], values: dict[str, Any], most: int
) -> list[str] | None:
    """The runs that fit the condition which the fewest fit; None if each has more than `most`."""
    fewest: list[str] | None = None
    for condition in conditions:
        statement = "\nUNION ALL\n".join(condition.lists) + "\n LIMIT :limit"
        found = db.execute(statement, values | {"limit": most + 1}).fetchall()
        if len(found) <= most and (fewest is None or len(found) < len(fewest)):
            fewest = [row[0] for row in found]
            if not fewest:
                break
    return fewest


def _extent(
    db: sqlite3.Connection, conditions: Sequence[Condition], values: dict[str, Any]
) -> dict[str, Any]:
    """Bounds of the ids between which there are runs that fit each condition."""
    above, below = values["above"], values["below"]
    for condition in conditions:
        merged = "\nUNION ALL\n".join(condition.lists)
        ends = [
            db.execute(f"{merged}\n ORDER BY id {way} LIMIT 1", values).fetchone()
            for way in ("ASC", "DESC")
        ]
        if None in ends:
            return {"above": below}  # nothing
        above = max(above, ends[0][0][:-1])  # just before
        below = min(below, ends[1][0] + LAST)
    return {"above": above, "below": below}


def _conditions(query: RunFilter) -> list[Condition]:
    """What the filter asks for; what usually fits the fewest runs comes first."""
    found = [_label(at, *label) for at, label in enumerate(dict.fromkeys(query.labels))]
    states = {f"state_{at}": state for at, state in enumerate(query.states)}
    states |= {"states": " ".join(query.states)} if states else {}
    pipeline = {"pipeline": query.pipeline}
    if query.pipeline is not None and states:
        lists = _for_each_state("of_pipeline_in_state", query.states)
        found.append(Condition(lists, _ONLY_PIPELINE + _ONLY_STATES, {**states, **pipeline}))
    elif query.pipeline is not None:
        found.append(Condition((_list("of_pipeline"),), _ONLY_PIPELINE, {**pipeline}))
    elif states:
        found.append(Condition(_for_each_state("in_state", query.states), _ONLY_STATES, states))
    if query.user is not None:
        found.append(Condition((_list("of_user"),), _ONLY_USER, {"user": query.user}))
    return found


def _for_each_state(name: str, states: Sequence[str]) -> tuple[str, ...]:
    one = _list(name)
    return tuple(one.replace(":state", f":state_{at}") for at in range(len(states)))


def _label(at: int, key: str, value: str) -> Condition:
    def numbered(text: str) -> str:
        return text.replace(":key", f":key_{at}").replace(":value", f":value_{at}")

    values = {f"key_{at}": key, f"value_{at}": value}
    return Condition((numbered(_list("of_label")),), numbered(_ONLY_LABEL), values)


def _list(name: str) -> str:
    text: str = getattr(QUERIES, f"list_{name}").sql
    return text


def _bounds(query: RunFilter) -> dict[str, Any]:
    """Between which ids, and which ends, the page lies: a run's id tells when it was created."""
    above = "" if query.since is None else first_at("run", query.since)
    below = LAST if query.until is None else first_at("run", query.until)
    ended_above = 0.0 if query.since is None else query.since.timestamp() - 1.0  # it ended later
    bounds: dict[str, Any] = {"above": above, "below": below}
    bounds |= {"ended_above": ended_above, "id_above": "", "ended_below": NEVER, "id_below": LAST}
    if query.before is None:
        return bounds
    side, within = ("above", max) if query.oldest_first else ("below", min)
    if query.sort == "ended":
        ended = query.before_ended_at.timestamp() if query.before_ended_at else 0.0
        place = within((bounds[f"ended_{side}"], bounds[f"id_{side}"]), (ended, query.before))
        return bounds | {f"ended_{side}": place[0], f"id_{side}": place[1]}
    return bounds | {side: within(bounds[side], query.before)}
