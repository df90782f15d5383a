"""Who may include whom: reads the includes of include/ and src/ and holds the table of docs/architecture.md."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# A folder includes only what it rests on, directly or through another. `include` is include/metaflow.
RESTS_ON = {
    "include": [],
    "base": ["include"],  # for Error, the one exception type
    "model": ["base"],
    "flow": ["model"],  # what the headers of the C++ flow API leave to the library
    "batch": ["model"],
    "network": ["base"],
    "aws": ["network", "batch"],
    "storage": ["base"],
    "gateway": ["storage", "batch"],
    "cloud": ["aws", "gateway"],
    "datastore": ["storage", "model"],
    "metadata": ["model"],
    "runtime": ["datastore", "metadata"],
    "package": ["datastore"],
    "compute": ["runtime", "package", "batch"],
    "client": ["datastore", "metadata", "gateway"],
    "gc": ["datastore", "metadata"],
    "cli": ["compute", "client", "gc"],
    "capi": ["cli"],
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def reachable(folder: str) -> set[str]:
    """The folder and all it rests on."""
    found = {folder}
    for lower in RESTS_ON[folder]:
        found |= reachable(lower)
    return found


def folder_of(included: str) -> str | None:
    """The layer an include leads to, nothing for a library's or the language's own header."""
    top = included.split("/")[0]
    if top == "metaflow":
        return "include"
    return top if top in RESTS_ON and "/" in included else None


def mistakes_of_public_header(includes: list[tuple[str, str]]) -> list[str]:
    """Public headers rest on the standard library only, whose headers have neither folder nor extension, but for those of C."""
    return [
        f"includes {name}, which is neither public nor standard"
        for _, name in includes
        if folder_of(name) != "include" and re.search(r"[/.]", name) and name not in ("stddef.h", "stdint.h")
    ]


def mistakes_of_file(source: Path, folder: str, text: str) -> list[str]:
    includes = INCLUDE.findall(text)
    mistakes = []
    if source.suffix == ".hpp" and "#pragma once" not in text:
        mistakes.append("lacks #pragma once")
    allowed = reachable(folder)
    for quote, name in includes:
        target = folder_of(name)
        if target is not None and target not in allowed:
            mistakes.append(f"includes {name}, but {folder} does not rest on {target}")
        if quote == '"' and target is None:
            mistakes.append(f'includes "{name}", which names no layer: write "{folder}/..." from src/')
    if folder == "include":
        mistakes += mistakes_of_public_header(includes)
    own = f"{folder}/{source.stem}.hpp"
    if source.suffix == ".cpp" and source.with_suffix(".hpp").exists() and (not includes or includes[0][1] != own):
        mistakes.append(f"does not include its own header {own} first")
    return mistakes


def mistakes_of_tree(root: Path) -> list[str]:
    """One line for each mistake below root/include and root/src."""
    found = []
    for source in sorted([*root.glob("include/**/*"), *root.glob("src/*/**/*")]):
        if source.suffix not in (".hpp", ".cpp", ".h"):
            continue
        place = source.relative_to(root)
        folder = "include" if place.parts[0] == "include" else place.parts[1]
        if folder not in RESTS_ON:
            found.append(f"{place}: {folder} is in no layer; add it to the table of tests/test_layers.py")
            continue
        found += [f"{place}: {mistake}" for mistake in mistakes_of_file(source, folder, source.read_text())]
    return found


def test_every_folder_includes_only_what_it_rests_on():
    assert mistakes_of_tree(REPOSITORY) == []


# The checker itself, on made-up trees.


@pytest.fixture
def tree(tmp_path):
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("include/metaflow/error.hpp", "#pragma once\n#include <string>\n")
    write("src/base/file.hpp", "#pragma once\n#include <metaflow/error.hpp>\n")
    write("src/base/file.cpp", '#include "base/file.hpp"\n\n#include <fcntl.h>\n')
    write("src/cli/main.cpp", '#include "storage/store.hpp"\n')
    write("src/storage/store.hpp", '#pragma once\n#include "base/file.hpp"\n')
    return write


def test_a_tree_in_order_has_no_mistakes(tree, tmp_path):
    assert mistakes_of_tree(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("src/base/x.cpp", '#include "model/x.hpp"\n', "base does not rest on model"),
        ("src/storage/x.cpp", '#  include "runtime/x.hpp"\n', "storage does not rest on runtime"),
        ("src/client/x.hpp", '#pragma once\n#include "runtime/x.hpp"\n', "client does not rest on runtime"),
        ("src/base/x.hpp", "#include <string>\n", "lacks #pragma once"),
        ("src/base/x.cpp", '#include "file.hpp"\n', "names no layer"),
        ("src/base/file.cpp", '#include <string>\n#include "base/file.hpp"\n', "own header base/file.hpp first"),
        ("src/odd/x.cpp", "", "odd is in no layer"),
        ("include/metaflow/x.hpp", "#pragma once\n#include <fmt/core.h>\n", "neither public nor standard"),
        ("include/metaflow/x.hpp", "#pragma once\n#include <unistd.h>\n", "neither public nor standard"),
        ("include/metaflow/x.hpp", '#pragma once\n#include "base/file.hpp"\n', "include does not rest on base"),
    ],
)
def test_each_kind_of_mistake_is_found(tree, tmp_path, name, text, mistake):
    tree(name, text)
    assert any(line.startswith(f"{name}: ") and mistake in line for line in mistakes_of_tree(tmp_path))
