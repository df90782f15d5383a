"""What the documents say holds: links lead somewhere, and the flow of the README compiles and runs."""

import os
import re
from pathlib import Path

import pytest
from conftest import BUILD, REPOSITORY

DOCUMENTS = [path for path in sorted(REPOSITORY.rglob("*.md")) if "build" not in path.relative_to(REPOSITORY).parts[:1]]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FORMAT_PAGE = re.compile(r"docs/formats/[\w.-]+\.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_to_files(document):
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_format_pages_named_in_the_sources_exist_and_are_listed():
    sources = [path for folder in ("include", "src") for path in (REPOSITORY / folder).rglob("*.?pp")]
    named = {page for source in sources for page in FORMAT_PAGE.findall(source.read_text())}
    present = {f"docs/formats/{path.name}" for path in (REPOSITORY / "docs/formats").glob("*.md")}
    assert named - present == set()
    index = (REPOSITORY / "docs/formats/README.md").read_text()
    assert [page for page in present if not page.endswith("README.md") and Path(page).name not in index] == []


def test_the_first_flow_of_the_readme_compiles_and_runs(project):
    (source,) = re.findall(r"```cpp\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    (project.folder / "squares.cpp").write_text(source)
    compiler = [os.environ.get("CXX", "g++"), "-std=c++20", "-I", REPOSITORY / "include"]
    sanitizers = {"asan": ["-fsanitize=address,undefined"], "tsan": ["-fsanitize=thread"]}.get(BUILD.name, [])
    link = ["-L", BUILD, "-lmetaflow", f"-Wl,-rpath,{BUILD}"]
    project.run(*compiler, *sanitizers, "squares.cpp", "-o", "squares", *link).succeeded()
    result = project.run("./squares", "run", "--count", "10").succeeded()
    assert "The sum of the squares is 385." in result.stdout
