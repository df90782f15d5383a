"""Names of flows, steps and members are had from the compiler: each compiler, wherever the flow stands."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
COMPILERS = [name for name in ("g++", "clang++-14", "clang++") if shutil.which(name)][:2]

PROGRAM = """
#include <cstdio>
#include <string>
#include <utility>

#include <metaflow/detail/members.hpp>

using namespace metaflow::detail;

namespace films {
struct Plain { int total; std::string genre; void start() {} };
namespace { struct Unnamed { int total; std::string genre; void start() {} }; }
}
template <class T>
struct Template {
  T total; std::string genre; void start() {}
  struct Inner { int total; std::string genre; void start() {} };
};

template <char Mark>
struct Marked { int total; std::string genre; void start() {} };

template <class T>
void show() {
  static_assert(member_names<T>.size() == 2);
  for (const auto name : {class_name<T>, member_names<T>[0], member_names<T>[1], name_of<&T::start>})
    std::printf("%.*s ", static_cast<int>(name.size()), name.data());
}
template <class T>
void show_local(T) {
  struct Local { int total; std::string genre; void start() {} };
  show<Local>();
}

int main() {
  WHICH;
}
"""

KINDS = {
    "Plain": "show<films::Plain>()",
    "Unnamed": "show<films::Unnamed>()",
    "Template": "show<Template<int>>()",
    "Template of templates": "show<Template<std::pair<std::pair<std::string, films::Unnamed>, int(*)[3]>>>()",
    "Marked with ;": "show<Marked<';'>>()",
    "Marked with ]": "show<Marked<']'>>()",
    "Marked with quote": "show<Marked<39>>()",
    "Inner": "show<Template<int[3]>::Inner>()",
    "Local": "show_local(1)",
    "Local of text": "show_local(std::string())",
}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("kind", KINDS)
def test_names_are_as_written(tmp_path: Path, compiler: str, kind: str):
    program = tmp_path / "names"
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{REPOSITORY / 'include'}", "-x", "c++", "-"]
    ended = subprocess.run(
        [*command, "-o", program],
        input=PROGRAM.replace("WHICH", KINDS[kind]),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    said = subprocess.run([program], capture_output=True, text=True, timeout=60).stdout
    assert said.split() == [kind.split()[0], "total", "genre", "start"]
