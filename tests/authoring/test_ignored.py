"""What is ignored is what git ignores: every rule is compared with git itself."""

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.authoring.git import repository_of
from treadle.authoring.projects import look

Write = Callable[..., Path]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", *arguments],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def ours(root: Path) -> set[str]:
    return {found.name for found in look(root).files}


def gits(root: Path) -> set[str]:
    told = git(root, "ls-files", "-z", "--others", "--exclude-standard")
    return {name for name in told.split("\0") if name}


def lay_out(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


PARTS = st.sampled_from(["a", "b", "ab", "a.c", "x y", "#a", "!a", "é", "[a]", "a\\b", "-"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(
    ["a", "b", "c", ".", "*", "**", "?", "/", "[ab]", "[!a]", "[^b]", "[a-c]", "[[:alpha:]]", "[]",
     "[]a]", "[", "]", "\\", "!", "#", " ", "x y", "é", "[!-a]", "[a-]", "[\\]]", "[[:nope:]]",
     "***", "-", "[b-a]", "[.-/]", "[[:a]"]
)  # fmt: skip
LINES = st.builds(
    lambda negated, pieces, slash: negated + "".join(pieces) + slash,
    st.sampled_from(["", "", "!"]),
    st.lists(PIECES, min_size=1, max_size=5),
    st.sampled_from(["", "", "/"]),
)
RULES = st.lists(LINES, max_size=5).map("\n".join)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    paths=st.lists(PATHS, min_size=1, max_size=12),
    rules=st.dictionaries(st.sampled_from(["", "a/", "b/", "a/b/"]), RULES, max_size=3),
    exclude=RULES,
)
def test_the_same_files_are_ignored_as_git_ignores(
    paths: list[str], rules: dict[str, str], exclude: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        # Given a repository with files, and rules in some of its folders
        root = Path(name)
        git(root, "init", "-q")
        (root / ".git/info/exclude").write_text(exclude)
        for each in sorted(paths, key=len, reverse=True):
            if not (root / each).exists():
                lay_out(root, {each: ""})
        for folder, text in rules.items():
            if (root / folder).is_dir():
                (root / folder / ".gitignore").write_text(text)
        # Then git and we see the same
        assert ours(root) == gits(root)


def test_rules_of_folders_above_the_project_count(write: Write, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    lay_out(tmp_path, {".gitignore": "*.log\n/sub/out\n", "sub/a.log": "", "sub/out/x": ""})
    lay_out(tmp_path, {"sub/deep/out/y": "", "sub/a.py": ""})
    (tmp_path / ".git/info/exclude").write_text("notes\n")
    (tmp_path / "sub/notes").touch()

    assert ours(tmp_path / "sub") == {"a.py", "deep/out/y"}


def test_a_project_in_an_ignored_folder_is_a_project_all_the_same(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    lay_out(tmp_path, {".gitignore": "build/\n", "build/project/a.py": ""})

    assert ours(tmp_path / "build/project") == {"a.py"}


def test_treadleignore_has_the_last_word(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        {
            ".gitignore": "made/\n*.csv\n",
            ".treadleignore": "!made/\n!keep.csv\nlarge\n",
            "made/code.py": "",
            "keep.csv": "",
            "other.csv": "",
            "large/file": "",
            "sub/.treadleignore": "!other.csv\n",
            "sub/other.csv": "",
        },
    )

    found = ours(tmp_path)

    assert found == {
        ".gitignore", ".treadleignore", "made/code.py", "keep.csv", "sub/.treadleignore",
        "sub/other.csv",
    }  # fmt: skip


ALWAYS_OUT = (
    ".git/config",
    "__pycache__/a.pyc",
    "a.pyc",
    "env/pyvenv.cfg",
    "env/lib/a.py",
    "node_modules/a.js",
    ".ipynb_checkpoints/a.ipynb",
    ".mypy_cache/x",
    "some_cache/CACHEDIR.TAG",
    "some_cache/x",
    "state/ledger.db",
    "state/owner.lock",
    "state/blobs/x",
)


def test_caches_environments_and_our_own_data_are_always_left_out(tmp_path: Path) -> None:
    lay_out(tmp_path, dict.fromkeys(ALWAYS_OUT, ""))
    lay_out(tmp_path, {".treadleignore": "!*\n!*/\n", "a.py": ""})

    assert ours(tmp_path) == {".treadleignore", "a.py"}


@pytest.mark.parametrize(
    ("rules", "taken"),
    [
        ("", set()),
        ("!*\n", set()),
        ("!.env\n", {".env"}),
        ("!.env.*\n", {".env.local"}),
        ("!.env*\n", {".env", ".env.local"}),
    ],
)
def test_secrets_are_taken_in_only_by_name(tmp_path: Path, rules: str, taken: set[str]) -> None:
    lay_out(tmp_path, {".treadleignore": rules, ".env": "", ".env.local": "", ".environment": ""})

    assert ours(tmp_path) - {".treadleignore", ".environment"} == taken


def test_a_linked_working_tree_has_the_rules_of_its_repository(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    lay_out(main, {"a.py": ""})
    git(main, "init", "-q", "-b", "main")
    git(main, "add", "a.py")
    git(main, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "one")
    git(main, "worktree", "add", "-q", str(tree), "-b", "other")
    (main / ".git/info/exclude").write_text("*.log\n")
    lay_out(tree, {"b.py": "", "b.log": ""})

    repository = repository_of(tree)

    assert repository is not None
    assert repository.exclude.resolve() == (main / ".git/info/exclude").resolve()
    assert ours(tree) - {".git"} == {"a.py", "b.py"}
