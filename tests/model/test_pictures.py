"""Pictures: whatever a step is called, and however many there are, they can be read."""

import shutil
import subprocess
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.model.bindings import Output, Value
from treadle.model.looks import LOOKS, mermaid_classes
from treadle.model.pictures.dot import digraph
from treadle.model.pictures.geometry import planned
from treadle.model.pictures.labels import columns, cut, ems, shown
from treadle.model.pictures.mermaid import escaped, flowchart
from treadle.model.pictures.picture import Node, Picture, folded, of_jobs, of_pipeline
from treadle.model.pictures.svg import svg
from treadle.model.pictures.text import Paper, rows
from treadle.model.records import (
    Code,
    Execution,
    Failure,
    FailureType,
    Job,
    Pipeline,
    Step,
    Tool,
)  # fmt: skip
from treadle.model.states import JobState

SVG = "{http://www.w3.org/2000/svg}"
STATES = list(JobState)
START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def node(key, *parents, **more):
    return Node(key=key, label=key, parents=parents, tool=key.partition("-")[0], **more)


def picture(*nodes, title="wine"):
    return Picture(title=title, subtitle=f"{len(nodes)} steps", nodes=nodes)


def fan(steps=997, **more):
    names = [f"train-{i}" for i in range(steps)]
    return picture(
        node("load"), *(node(name, "load", **more) for name in names), node("best", *names)
    )


DIAMOND = picture(node("a"), node("b", "a"), node("c", "a"), node("d", "b", "c"))


@st.composite
def pictures(draw):
    """Random DAGs of steps with any names at all."""
    names = draw(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=12, unique=True))
    nodes = []
    for index, name in enumerate(names):
        before = st.lists(st.sampled_from(names[:index]), unique=True) if index else st.just([])
        nodes.append(
            Node(
                key=name,
                label=name,
                parents=tuple(draw(before)),
                kind=draw(st.sampled_from(["", "function", "script", "notebook", "container"])),
                tool=draw(st.text(max_size=5)),
                caption=draw(st.text(max_size=10)),
                about=(draw(st.text(max_size=30)),),
                states=draw(st.dictionaries(st.sampled_from(STATES), st.just(1), max_size=1)),
            )
        )
    return Picture(title=draw(st.text(max_size=20)), nodes=tuple(nodes))


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_an_svg_is_well_formed_whatever_a_step_is_called(drawn):
    document = ElementTree.fromstring(svg(drawn).encode())
    tips = [each.text for each in document.iter(f"{SVG}title")]
    assert len(tips) == 1 + len(drawn.nodes)


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_every_line_of_a_flowchart_is_a_node_a_line_or_a_style(drawn):
    head, *lines = flowchart(drawn).splitlines()
    assert head == "flowchart LR"
    nodes = [line for line in lines if '"' in line]
    assert len(nodes) == len(drawn.nodes)
    for line in nodes:
        label = line[line.index('"') + 1 : line.rindex('"')]
        assert not set(label) & set('"<>&\n`|\\')
    assert sum(" --> " in line for line in lines) == sum(len(n.parents) for n in drawn.nodes)


@given(pictures())
@settings(max_examples=100, deadline=None)
def test_strings_of_a_digraph_end_where_they_should(drawn):
    text = digraph(drawn)
    assert text.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 0
    assert text.count(" -> ") >= sum(len(n.parents) for n in drawn.nodes)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not here")
def test_graphviz_reads_a_digraph_of_awkward_names():
    awkward = ['"', "\\", "a\nb", "<b>&amp;", "{x|y}", "größe", "\\N", "end\\"]
    drawn = digraph(picture(*(node(name) for name in awkward), title='"}'))
    done = subprocess.run(["dot", "-Tsvg"], input=drawn.encode(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    labels = [t.text for t in ElementTree.fromstring(done.stdout).iter(f"{SVG}text")]
    assert [label.replace("\xa0", " ") for label in labels] == [shown(name) for name in awkward]


@given(pictures(), st.integers(12, 90), st.booleans())
@settings(max_examples=150, deadline=None)
def test_rows_of_text_fit_the_terminal_and_its_characters(drawn, width, ascii_only):
    found = rows(drawn, Paper(width=width, ascii=ascii_only))
    assert len(found) == len(drawn.nodes)
    names = "".join(n.label + n.caption for n in drawn.nodes)
    for spans in found:
        line = "".join(text for text, _ in spans)
        assert columns(line) <= width
        assert line.isprintable()
        if ascii_only and names.isascii() and shown(names).isascii():
            assert line.isascii()


def text_of(drawn, **paper):
    return ["".join(text for text, _ in spans) for spans in rows(drawn, Paper(**paper))]


def test_a_diamond_in_characters():
    assert text_of(DIAMOND) == [
        "○     a",
        "├─○─╮ b",
        "╰─○─┤ c",
        "○───╯ d",
    ]
    assert text_of(DIAMOND, ascii=True) == [
        "o     a",
        "+-o-+ b",
        "+-o-+ c",
        "o---+ d",
    ]


def test_a_chain_in_characters_is_one_line():
    chain = picture(node("a"), node("b", "a"), node("c", "b"))
    assert text_of(chain) == ["○ a", "○ b", "○ c"]


def test_chains_beside_each_other_are_told_apart():
    both = picture(node("a1"), node("a2", "a1"), node("b1"), node("b2", "b1"))
    assert text_of(both) == ["○   a1", "○   a2", "  ○ b1", "  ○ b2"]


def test_parents_stand_above_whatever_the_order_in_the_file():
    drawn = picture(node("best", "train"), node("train", "load"), node("load"))
    assert [line.split()[-1] for line in text_of(drawn)] == ["load", "train", "best"]


def test_where_there_is_no_room_for_lines_parents_are_named():
    names = [f"p{i}" for i in range(30)]
    tangled = picture(
        *(node(name) for name in names),
        *(node(f"t{i}", names[i], names[-1 - i]) for i in range(15)),
    )
    assert text_of(tangled, width=40)[30:32] == ["○ t0   ← p0, p29", "○ t1   ← p1, p28"]


def test_a_thousand_steps_are_folded_where_they_are_alike():
    drawn = folded(fan(997))
    assert [n.label for n in drawn.nodes] == ["load", "train \u00d7 997", "best"]
    assert [n.parents for n in drawn.nodes] == [(), ("load",), ("train-0",)]
    assert len(ElementTree.fromstring(svg(drawn)).findall(f".//{SVG}path[@class='line']")) == 2


def test_chains_that_are_alike_are_folded_step_by_step():
    prepare = [node(f"prepare-{i}", "load") for i in range(100)]
    train = [node(f"train-{i}", f"prepare-{i}") for i in range(100)]
    best = node("best", *(n.key for n in train))
    drawn = folded(picture(node("load"), *prepare, *train, best))
    assert [n.label for n in drawn.nodes][1:3] == ["prepare \u00d7 100", "train \u00d7 100"]


def test_a_few_steps_are_not_folded_nor_those_that_differ():
    assert folded(fan(20)) == fan(20)
    one_more = picture(*fan(100).nodes, node("extra", "train-7"))
    labels = [n.label for n in folded(one_more).nodes]
    assert "train-7" in labels and "train \u00d7 99" in labels


def test_a_group_tells_how_many_are_in_which_state():
    nodes = fan(100).nodes
    states = [JobState.COMPLETED] * 60 + [JobState.FAILED] + [JobState.WAITING] * 41
    met = [Node(key=n.key, label=n.label, parents=n.parents, tool=n.tool, states={s: 1})
           for n, s in zip(nodes, states, strict=True)]  # fmt: skip
    drawn = folded(picture(*met))
    group = drawn.nodes[1]
    assert (group.state, group.caption) == (JobState.FAILED, "60 of 100 ended")
    assert drawn.counts() == {JobState.COMPLETED: 60, JobState.FAILED: 1, JobState.WAITING: 41}
    assert "1 failed" in svg(drawn)


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_boxes_lie_apart_and_inside_the_picture(drawn):
    plan = planned(drawn)
    boxes = list(plan.boxes.values())
    for i, a in enumerate(boxes):
        assert a.x >= -0.01 and a.y >= -0.01
        assert a.x + a.width <= plan.width + 0.01 and a.y + a.height <= plan.height + 0.01
        for b in boxes[i + 1 :]:
            beside = a.x + a.width <= b.x + 0.01 or b.x + b.width <= a.x + 0.01
            assert beside or a.y + a.height <= b.y + 0.01 or b.y + b.height <= a.y + 0.01


def test_a_long_line_goes_round_the_boxes_between():
    skip = picture(node("a"), node("b", "a"), node("c", "b"), node("d", "a", "c"))
    plan = planned(skip)
    box = plan.boxes["b"]
    middle = box.x + box.width / 2
    passing = [p for line in plan.lines for p in line if abs(p[0] - middle) < box.width]
    assert all(y <= box.y or y >= box.y + box.height or x <= box.x or x >= box.x + box.width
               for x, y in passing)  # fmt: skip


def test_what_is_too_wide_loses_its_middle():
    assert cut("a-rather-long-name-for-a-step-12", 10).endswith("12")
    assert "…" in cut("a-rather-long-name-for-a-step-12", 10)
    assert ems(cut("w" * 100, 10)) <= 10
    assert cut("short", 10) == "short"


def test_marks_that_mean_something_to_mermaid_are_written_as_numbers():
    assert escaped('a"b#c<d>\ne') == "a#34;b#35;c#60;d#62; e"


def test_a_picture_of_a_pipeline_names_kinds_tools_and_what_they_ask_for():
    code = Code(kind="snapshot", digest="d", entry="load.py")
    script = Tool(id="load@1", name="load", version="1", code=code, kind="script",
                  execution=Execution(cpus=2, memory_bytes=10**9, retries=3))  # fmt: skip
    function = Tool(id="f@1", name="fit", version="1",
                    code=Code(kind="snapshot", digest="d", entry="m:fit"))  # fmt: skip
    steps = (
        Step(name="load", tool_id="load@1", arguments={}, where="flow.yaml:3"),
        Step(name="train", tool_id="f@1", arguments={"a": Output("load"), "b": Value(1)}),
    )
    pipeline = Pipeline(name="wine", version="1", tools=(script, function), steps=steps)
    load, train = of_pipeline(pipeline).nodes
    assert (load.caption, load.parents) == ("script · load.py", ())
    assert load.about == ("script load", "2 cpus", "1GB memory", "3 retries", "flow.yaml:3")
    assert (train.caption, train.parents) == ("function · fit", ("load",))


def test_a_picture_of_a_run_shows_states_and_failures():
    failure = Failure(type=FailureType.USER, message="ValueError: <no>")
    jobs = [
        a_job(0, step="load", state=JobState.COMPLETED, started_at=START, ended_at=START),
        a_job(1, step="train", state=JobState.FAILED, failure=failure, attempt=2),
    ]
    drawn = of_jobs(jobs, [("job_0", "job_1")], title="wine")
    assert [n.state for n in drawn.nodes] == [JobState.COMPLETED, JobState.FAILED]
    assert drawn.nodes[1].parents == ("load",)
    assert drawn.nodes[1].about == ("failed", "fit", "attempt 2", "ValueError: <no>")
    assert "ValueError: &lt;no&gt;" in svg(drawn)


def a_job(number, **more):
    return Job(
        id=f"job_{number}", run_id="run_1", tool_id="fit@1", execution=Execution(),
        created_at=START, **more,
    )  # fmt: skip


def test_every_state_has_a_look_of_its_own_on_either_ground():
    assert set(LOOKS) == set(JobState)
    drawn = svg(picture(*(node(s.value, states={s: 1}) for s in JobState)))
    for state, look in LOOKS.items():
        assert f".{state} {{ --c: {look.light}; }}" in drawn
        assert f".{state} {{ --c: {look.dark}; }}" in drawn
    assert len(mermaid_classes({"failed", "running"})) == 4
