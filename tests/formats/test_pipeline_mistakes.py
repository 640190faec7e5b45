"""Every mistake in a pipeline file is told with file, line, column, and the next step."""

import pytest

from formats.projects import Folder
from treadle.errors import InvalidDefinition
from treadle.formats import native

GOLDEN = [
    # keys
    (
        "stepz: {}\nsteps: {a: {command: [ls]}}",
        "flow.yaml:1:1: there is no key 'stepz'. Did you mean 'steps'?",
    ),
    (
        "name: x",
        (
            "flow.yaml:1:1: no `steps`. "
            "Write each step under its name, such as train: {script: train.py}."
        ),
    ),
    (
        "steps: {}",
        (
            "flow.yaml:1:8: steps: expected at least one. "
            "Write each step under its name, such as train: {script: train.py}."
        ),
    ),
    (
        "steps: [a]",
        (
            "flow.yaml:1:8: steps: expected at least one. "
            "Write each step under its name, such as train: {script: train.py}."
        ),
    ),
    (
        "steps: {a: {scripd: load.py}}",
        "flow.yaml:1:13: there is no key 'scripd' in a. Did you mean 'script'?",
    ),
    ("steps: {a: 3}", "flow.yaml:1:12: a: expected a mapping, got 3."),
    ("steps: {a: null}", "flow.yaml:1:12: a: expected a mapping, got null."),
    (
        "steps: {a: {}}",
        (
            "flow.yaml:1:9: step 'a' says nothing to run. "
            "Give exactly one of script, function and command."
        ),
    ),
    (
        "steps: {a: {script: load.py, command: [ls]}}",
        (
            "flow.yaml:1:9: step 'a' has script and command. "
            "Give exactly one of script, function and command."
        ),
    ),
    (
        "steps: {a.b: {command: [ls]}}",
        (
            "flow.yaml:1:9: a step cannot be called 'a.b'. "
            "Use letters, digits, _ and -; a dot stands before an output."
        ),
    ),
    (
        'name: " "\nsteps: {a: {command: [ls]}}',
        "flow.yaml:1:7: a pipeline needs a name that is not empty.",
    ),
    # types
    (
        "concurrency: 0\nsteps: {a: {command: [ls]}}",
        "flow.yaml:1:14: concurrency: expected at least 1, got 0.",
    ),
    (
        "fail_fast: yes\nsteps: {a: {command: [ls]}}",
        "flow.yaml:1:12: fail_fast: expected true or false, got text 'yes'.",
    ),
    (
        "steps: {a: {command: [ls], cpus: two}}",
        "flow.yaml:1:34: cpus: expected a number, got text 'two'.",
    ),
    (
        "steps: {a: {command: [ls], retries: 1.5}}",
        "flow.yaml:1:37: retries: expected a whole number, got 1.5.",
    ),
    (
        "steps: {a: {command: [ls], on_lost: requeu}}",
        (
            "flow.yaml:1:37: on_lost: expected 'requeue' or 'fail', got text 'requeu'. "
            "Did you mean 'requeue'?"
        ),
    ),
    (
        "steps: {a: {command: [ls], memory: lots}}",
        "flow.yaml:1:36: step 'a': memory='lots': 'lots' is no size; write it like 64MB or 1.5GiB",
    ),
    (
        "steps: {a: {command: [ls], timeout: 0}}",
        "flow.yaml:1:37: step 'a': timeout=0.0: expected more than 0",
    ),
    (
        "steps: {a: {command: [ls], env: {A: 1.10}}}",
        ('flow.yaml:1:37: A: expected text or a whole number, got 1.1. Write it in quotes: "1.1".'),
    ),
    (
        "steps: {a: {command: [[ls]]}}",
        "flow.yaml:1:23: command: expected text, a number or true or false, got a list.",
    ),
    # references
    (
        "steps: {load: {script: load.py}, b: {script: load.py, inputs: {x: laod}}}",
        "flow.yaml:1:67: there is no step 'laod'. Did you mean 'load'?",
    ),
    (
        (
            "steps: {a: {script: load.py, outputs: [table]}, b: {script: load.py, "
            "inputs: {x: [a.tabel]}}}"
        ),
        "flow.yaml:1:83: step 'a' has no output 'tabel'. Did you mean 'table'?",
    ),
    (
        "steps: {a: {script: load.py, outputs: [x, y]}, b: {script: load.py, inputs: {x: a}}}",
        "flow.yaml:1:81: step 'a' has several outputs: x, y. Say which: a.x or a.y.",
    ),
    (
        "steps: {a: {script: load.py, outputs: []}, b: {script: load.py, inputs: {x: a}}}",
        "flow.yaml:1:77: step 'a' has no outputs. To wait for it use `after`.",
    ),
    (
        "steps: {a: {script: load.py, inputs: {x: [3]}}}",
        (
            "flow.yaml:1:43: an input is the result of a step, not 3. "
            "Plain values belong under `parameters`."
        ),
    ),
    (
        "steps: {a: {script: load.py}, b: {script: load.py, after: [a.x]}}",
        (
            "flow.yaml:1:60: `after` names steps, not outputs: 'a.x'. "
            "To wait for it write 'a'; to take the result use `inputs`."
        ),
    ),
    (
        "steps: {a: {script: load.py, after: zzz}, b: {script: load.py}}",
        "flow.yaml:1:37: there is no step 'zzz'. Steps: a, b.",
    ),
    (
        "steps:\n  a: {script: load.py, inputs: {x: b}}\n  b: {script: load.py, after: [a]}",
        (
            "flow.yaml:2:3: steps wait for each other in a circle: a -> b -> a. "
            "Remove one of these inputs."
        ),
    ),
    (
        "steps: {a: {script: load.py, inputs: {x: a}}}",
        (
            "flow.yaml:1:9: steps wait for each other in a circle: a -> a. "
            "Remove one of these inputs."
        ),
    ),
    # outputs
    (
        "steps: {a: {script: load.py, outputs: {x: a.csv, y: ./a.csv}}}",
        (
            "flow.yaml:1:53: outputs 'x' and 'y' are written into one file, './a.csv'. "
            "Give each its own."
        ),
    ),
    (
        "steps: {a: {script: load.py, outputs: {x: a, y: a/b}}}",
        "flow.yaml:1:49: outputs 'x' and 'y' are written into one file, 'a/b'. Give each its own.",
    ),
    (
        "steps: {a: {script: load.py, outputs: [x, x]}}",
        "flow.yaml:1:43: the output 'x' is named twice.",
    ),
    (
        "steps: {a: {script: load.py, outputs: [x-y]}}",
        (
            "flow.yaml:1:40: an output cannot be called 'x-y'. "
            "Use letters, digits and _; no digit or _ first, and no word of Python's."
        ),
    ),
    (
        "steps: {a: {script: load.py, outputs: {x: ../a.csv}}}",
        (
            "flow.yaml:1:43: '../a.csv' is no name for an output. "
            "It is written into the step's own folder: give a name such as model.pkl."
        ),
    ),
    # names
    (
        "steps: {a: {script: load.py, parameters: {a b: 1}}}",
        (
            "flow.yaml:1:43: none of the parameters can be called 'a b'. "
            "Use letters, digits and _, no digit first."
        ),
    ),
    (
        (
            "steps: {a: {script: load.py}, b: {function: 'prepare:plain', inputs: {a: a}, "
            "parameters: {a: 1}}}"
        ),
        "flow.yaml:1:91: 'a' is an input and a parameter. Keep one.",
    ),
    # templates
    (
        "parameters: {dataset: wine}\nsteps: {a: {script: load.py, args: ['x${datset}']}}",
        "flow.yaml:2:37: there is no parameter for ${datset}. Did you mean 'dataset'?",
    ),
    (
        "steps: {a: {script: load.py, args: ['${HOME}']}}",
        (
            "flow.yaml:1:37: there is no parameter for ${HOME}. "
            "For the shell's own variable write $${HOME}."
        ),
    ),
    (
        "steps: {a: {script: load.py, args: ['${x']}}",
        (
            "flow.yaml:1:37: a template begins with ${ and does not end. "
            "For these characters themselves write $${"
        ),
    ),
    (
        "steps: {a: {script: load.py, parameters: {x: '${inputs.y}'}}}",
        (
            "flow.yaml:1:46: ${inputs.y} means nothing here. "
            "It can stand in args, command and env of a script's step."
        ),
    ),
    (
        "steps: {a: {script: load.py, parameters: {x: '${env.HOME}'}}}",
        "flow.yaml:1:46: ${env.HOME} means nothing here. It can stand in the values of `env`.",
    ),
    (
        (
            "steps: {a: {script: load.py, inputs: {data: b}, args: ['${inputs.dat}']}, "
            "b: {script: load.py}}"
        ),
        "flow.yaml:1:56: step 'a' has no input 'dat'. Did you mean 'data'?",
    ),
    (
        "steps: {a: {script: load.py, outputs: [model], args: ['${outputs.modle}']}}",
        "flow.yaml:1:55: step 'a' has no output 'modle'. Did you mean 'model'?",
    ),
    (
        "steps: {a: {command: 'echo ${parameters.x}', parameters: {y: 1}}}",
        "flow.yaml:1:22: step 'a' has no parameter 'x'. It has: y.",
    ),
    (
        "steps: {a: {script: load.py, env: {X: '${env.NO_SUCH_VARIABLE_HERE}'}}}",
        (
            "flow.yaml:1:39: there is no environment variable NO_SUCH_VARIABLE_HERE. "
            "Set it: export NO_SUCH_VARIABLE_HERE=..."
        ),
    ),
    # commands
    (
        "steps: {a: {command: 'ls | wc -l'}}",
        (
            "flow.yaml:1:22: command: no shell reads it. "
            "Have a shell read it: command: [bash, -c, 'ls | wc -l']."
        ),
    ),
    ('steps: {a: {command: "echo \'a"}}', "flow.yaml:1:22: command: no closing quotation."),
    ("steps: {a: {command: []}}", "flow.yaml:1:22: command: expected a program."),
    (
        "steps: {a: {command: [ls], args: [-l]}}",
        "flow.yaml:1:34: args go with script. Add them to `command`.",
    ),
    # environments
    (
        "environments: {new: {python: '3.12'}}\nsteps: {a: {command: [ls], environment: nwe}}",
        "flow.yaml:2:41: there is no environment 'nwe'. Did you mean 'new'?",
    ),
    (
        "steps: {a: {command: [ls], environment: {pyton: '3.12'}}}",
        "flow.yaml:1:42: there is no key 'pyton' in environment. Did you mean 'python'?",
    ),
    (
        "environment: {pyton: '3.12'}\nsteps: {a: {command: [ls]}}",
        "flow.yaml:1:15: there is no key 'pyton' in environment. Did you mean 'python'?",
    ),
    (
        "steps: {a: {command: [ls], environment: {requirements: [./lib]}}}",
        (
            "flow.yaml:1:41: ./lib is a folder or file beside this one, not a package of an index. "
            "If it is the project itself, leave the line out: its code is in the snapshot that "
            "every step gets. Otherwise give the whole path."
        ),
    ),
    (
        "steps: {a: {command: [ls], depends_on: [b]}}",
        "flow.yaml:1:28: there is no key 'depends_on' in a. Did you mean 'after'?",
    ),
    (
        "steps: {a: {command: [ls], retry: 2}}",
        "flow.yaml:1:28: there is no key 'retry' in a. Did you mean 'retries'?",
    ),
    # scripts
    (
        "steps: {a: {script: laod.py}}",
        "flow.yaml:1:21: there is no script 'laod.py'. Did you mean 'load.py'?",
    ),
    (
        "steps: {a: {script: sub/load.py}}",
        "flow.yaml:1:21: there is no script 'sub/load.py'. There is no folder 'sub' either.",
    ),
    (
        "steps: {a: {script: ../load.py}}",
        (
            "flow.yaml:1:21: script '../load.py' is outside the folder. "
            "Name a file below the folder of the pipeline file."
        ),
    ),
    (
        "steps: {a: {script: /bin/ls}}",
        (
            "flow.yaml:1:21: script '/bin/ls' is outside the folder. "
            "Name a file below the folder of the pipeline file."
        ),
    ),
    # functions
    (
        "steps: {a: {function: prepare.split}}",
        (
            "flow.yaml:1:23: function 'prepare.split' is no module:name. "
            "Write it like prepare:split, the module before the colon."
        ),
    ),
    (
        "steps: {a: {function: 'prepare:splt'}}",
        (
            "flow.yaml:1:23: module 'prepare' (prepare.py) has no function 'splt'. "
            "Did you mean 'split'?"
        ),
    ),
    (
        "steps: {a: {function: 'prepare:split'}}",
        (
            "flow.yaml:1:23: prepare:split (prepare.py:7) needs 'data'. "
            "Add it under `inputs` or `parameters`."
        ),
    ),
    (
        "steps: {a: {function: 'prepare:split', parameters: {data: 1, sise: 2}}}",
        "flow.yaml:1:62: prepare:split (prepare.py:7) takes no 'sise'. Did you mean 'size'?",
    ),
    (
        "steps: {a: {function: 'prepare:numbers', parameters: {n: 1}}}",
        (
            "flow.yaml:1:23: prepare:numbers (prepare.py:21) is a generator, which has no result "
            "to keep. Return a list instead."
        ),
    ),
    (
        "steps: {a: {function: 'prepare:plain', parameters: {a: 1}, args: [x]}}",
        "flow.yaml:1:66: args go with script. A function gets its `parameters` by name.",
    ),
    (
        "steps: {a: {function: 'prepare:plain', parameters: {a: 1}, outputs: {x: y}}}",
        (
            "flow.yaml:1:69: file names of outputs go with script and command. "
            "Give a list: outputs: [a, b]."
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), GOLDEN)
def test_a_mistake_is_told_in_one_sentence_with_its_place(
    folder: Folder, text: str, message: str
) -> None:
    assert folder.refusal(text) == message


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(folder: Folder) -> None:
    # Given a file with mistakes of every kind
    with pytest.raises(InvalidDefinition) as caught:
        folder.load(
            """
            nam: x
            parameters: {size: {type: nmber}}
            steps:
              a: {script: laod.py, cpus: many}
              b: {script: load.py, inputs: {x: a.table, y: c}}
              d: {script: load.py, parameters: {x: "${siz}"}}
            """
        )
    # Then the first says where, and all are there, in words and as facts; a step that could not be
    # read is not held against those that take its results
    assert caught.value.where == "flow.yaml:1:1"
    assert [line.partition(". ")[0] for line in str(caught.value).splitlines()] == [
        "flow.yaml:1:1: there is no key 'nam'",
        "flow.yaml:2:27: there is no type 'nmber'",
        "flow.yaml:4:30: cpus: expected a number, got text 'many'.",
        "flow.yaml:5:48: there is no step 'c'",
        "flow.yaml:6:40: there is no parameter for ${siz}",
    ]
    facts = caught.value.details["problems"]
    assert [(each["line"], each["column"], each["key"]) for each in facts] == [
        (1, 1, "nam"),
        (2, 27, "parameters.size.type"),
        (4, 30, "steps.a.cpus"),
        (5, 48, "steps.b.inputs.y"),
        (6, 40, "steps.d.parameters.x"),
    ]


def test_a_message_lists_twenty_mistakes_and_counts_the_rest(folder: Folder) -> None:
    steps = "\n".join(f"  s{number}: {{script: no.py}}" for number in range(30))
    lines = folder.refusal(f"steps:\n{steps}").splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 10 more"


def test_parameters_over_64_kib_are_refused(folder: Folder) -> None:
    text = f"steps: {{a: {{script: load.py, parameters: {{x: {'y' * 70_000}}}}}}}"
    assert "the parameters of step 'a' are over 64 KiB" in folder.refusal(text)


def test_check_tells_the_same_without_raising(folder: Folder) -> None:
    folder.write(
        "flow.yaml",
        "parameters: {n: {type: integer, minimum: 3}}\nsteps: {a: {script: laod.py, cpus: '${n}'}}",
    )
    checked = native.check(folder.place())
    assert [str(problem) for problem in checked.problems] == [
        "flow.yaml:2:21: there is no script 'laod.py'. Did you mean 'load.py'?"
    ]
    assert checked.loaded is None
    folder.write("flow.yaml", "a: b: c")
    assert [problem.line for problem in native.check(folder.place()).problems] == [1]


def test_check_needs_no_values_for_parameters(folder: Folder) -> None:
    folder.write(
        "flow.yaml",
        "parameters: {n: {type: integer, minimum: 3}, e: {enum: [x]}, "
        "b: {type: boolean}, t: {description: Any.}}\n"
        "steps: {a: {script: load.py, cpus: '${n}', parameters: {t: '${t}'}}}",
    )
    checked = native.check(folder.place())
    assert checked.problems == ()
    assert checked.loaded is not None
    assert native.check(folder.place(), {"n": "2"}).problems != ()
