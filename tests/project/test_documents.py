"""The documents are true: links lead somewhere, Python runs, the reference is fresh."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
REFERENCE = sorted(p.name for p in (ROOT / "docs/reference").glob("*.md") if p.name != "README.md")
PYTHON = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python_of(document: Path) -> str:
    """All Python of a document, in order, as one script."""
    blocks = [
        re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
        for indent, text in PYTHON.findall(document.read_text())
    ]
    return "\n\n".join(blocks)


def anchors_of(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target, anchor in LINK.findall(document.read_text()):
        path = (document.parent / target) if target else document
        assert path.exists(), f"{target} is not there"
        if anchor and path.suffix == ".md":
            assert anchor[1:] in anchors_of(path), f"{target}{anchor} is not there"


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if python_of(d)], ids=name_of)
def test_the_python_of_a_document_runs(document: Path, tmp_path: Path) -> None:
    # Given the blocks of the document as one script, and a data directory of its own
    script = tmp_path / "document.py"
    script.write_text(python_of(document))
    environment = os.environ | {"TREADLE_DATA_DIR": str(tmp_path / "data")}

    # When it is run as a reader would
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    # Then it ends well
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    page = ROOT / "docs" / "reference" / name

    assert page.read_text() == generator().page(name), "stale: run `make docs`"


def test_the_reference_has_all_its_pages_and_no_other() -> None:
    assert sorted(generator().PAGES) == REFERENCE, "run `make docs`"
