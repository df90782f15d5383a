"""The program `metaflow`: tutorials, new projects, and flows started from one C++ file."""

import os
import pty
import shutil
import subprocess

import pytest
from conftest import BUILD

METAFLOW = BUILD / "bin/metaflow"

# A flow built without sanitizers cannot load a library that has them.
plain_build = pytest.mark.builds

HELLO = """
#include <cstdio>
#include "word.hpp"
#include <metaflow/flow.hpp>
namespace mf = metaflow;
struct Hello {
  void start() { std::puts(word); }
  void end() {}
  static constexpr auto graph() {
    using F = Hello;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};
int main(int argc, char** argv) { return mf::main<Hello>(argc, argv); }
"""


def metaflow(project, *arguments, **variables):
    return project.run(METAFLOW, *arguments, **variables)


def write_hello(project, word="bonjour"):
    (project.folder / "hello.cpp").write_text(HELLO)
    (project.folder / "word.hpp").write_text(f'inline const char* word = "{word}";\n')


def counting_compiler(project):
    """A compiler that notes each start."""
    script = project.folder.parent / "count-compiler"
    script.write_text(f'#!/bin/sh\necho x >> {project.folder.parent}/starts\nexec g++ "$@"\n')
    script.chmod(0o755)
    return script


def starts(project):
    file = project.folder.parent / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


# Flow files


@plain_build
def test_a_flow_file_is_compiled_once_and_again_when_what_it_includes_changes(project):
    write_hello(project)
    compiler = counting_compiler(project)
    assert "bonjour" in metaflow(project, "hello.cpp", "run", CXX=compiler).succeeded().stdout
    assert "bonjour" in metaflow(project, "hello.cpp", "run", CXX=compiler).succeeded().stdout
    assert starts(project) == 1
    write_hello(project, "salut")
    assert "salut" in metaflow(project, "hello.cpp", "run", CXX=compiler).succeeded().stdout
    assert starts(project) == 2
    (project.folder / "word.hpp").touch()
    metaflow(project, "hello.cpp", "run", CXX=compiler).succeeded()
    assert starts(project) == 2


@plain_build
def test_hints_name_what_was_typed(project):
    write_hello(project)
    assert "'metaflow hello.cpp run'" in metaflow(project, "hello.cpp").succeeded().stderr
    assert "Usage: metaflow hello.cpp run" in metaflow(project, "hello.cpp", "run", "--help").succeeded().stdout


def test_what_the_compiler_says_is_shown_as_it_is(project):
    write_hello(project)
    (project.folder / "word.hpp").write_text("int word = ;\n")
    result = metaflow(project, "hello.cpp", "run").failed()
    assert "word.hpp:1:" in result.stderr
    assert "expected primary-expression" in result.stderr
    assert "Workflow" not in result.stdout


@plain_build
def test_two_at_once_both_run(project):
    write_hello(project)
    both = [project.start([METAFLOW, "hello.cpp", "run"]) for _ in range(2)]
    for process in both:
        assert "bonjour" in project.finish(process).succeeded().stdout


def test_a_cache_that_others_may_write_to_is_refused(project):
    write_hello(project)
    cache = project.folder.parent / "home/.cache/metaflow/programs"
    cache.mkdir(parents=True)
    cache.parent.chmod(0o700)
    cache.chmod(0o777)
    result = metaflow(project, "hello.cpp", "run").failed()
    assert f"Programs are not kept in {cache}: others may use it (mode 777)" in result.stderr


def test_without_a_compiler_the_package_is_named(project):
    write_hello(project)
    result = metaflow(project, "hello.cpp", "run", PATH=project.folder).failed()
    assert "apt install g++" in result.stderr


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("missing.cpp", "There is no file 'missing.cpp'."),
        ("folder.cpp", "'folder.cpp' is no file."),
        ("folder.cpp/", "is a folder; name the flow file in it"),
        ("notes.txt", "'notes.txt' is no C++ source file"),
        ("tutorial", "No such command 'tutorial'. Did you mean 'tutorials'?"),
    ],
)
def test_what_is_no_flow_file_is_refused(project, word, message):
    (project.folder / "folder.cpp").mkdir()
    (project.folder / "notes.txt").write_text("")
    result = metaflow(project, word, "run")
    assert result.exit == 2
    assert message in result.stderr


# New projects


@plain_build
def test_a_new_project_runs(project):
    metaflow(project, "new", "my-model").succeeded()
    result = project.run(METAFLOW, "my-model.cpp", "run", "--count", "4", cwd=project.folder / "my-model").succeeded()
    assert "total 5" in result.stdout
    assert sorted(os.listdir(project.folder / "my-model")) == [
        ".metaflow",
        "CMakeLists.txt",
        "README.md",
        "my-model.cpp",
    ]


def test_a_new_project_overwrites_nothing(project):
    (project.folder / "mine").write_text("precious")
    result = metaflow(project, "new", "mine").failed()
    assert "There is a 'mine' already; nothing was changed." in result.stderr
    assert (project.folder / "mine").read_text() == "precious"


@pytest.mark.parametrize("name", ["", "3d", "../up", "a b", "test", "x" * 101, "ä"])
def test_a_name_that_is_none_is_refused(project, name):
    result = metaflow(project, "new", name)
    assert result.exit == 2
    assert os.listdir(project.folder) == []


# Tutorials


def test_tutorials_can_be_listed_described_and_pulled(project):
    listed = metaflow(project, "tutorials", "list").succeeded().stdout
    assert "* 00-helloworld        - " in listed
    described = metaflow(project, "tutorials", "info", "01-penguins").succeeded().stdout
    for heading in ("Synopsis:", "Showcasing:", "Before playing:", "To play:"):
        assert f"{heading}\n" in described
    metaflow(project, "tutorials", "pull", "--episode", "01-penguins").succeeded()
    pulled = project.folder / "metaflow-tutorials/01-penguins"
    assert (pulled / "penguins.csv").is_file()
    assert not (pulled / "penguins.csv").is_symlink()
    assert os.listdir(pulled.parent) == ["01-penguins"]


def test_an_unknown_episode_is_refused(project):
    result = metaflow(project, "tutorials", "pull", "--episode", "01-pinguins")
    assert result.exit == 2
    assert "Did you mean '01-penguins'?" in result.stderr


@pytest.mark.parametrize(("answer", "kept"), [(b"n\n", True), (b"y\n", False)])
def test_pulling_again_asks_before_it_replaces(project, answer, kept):
    mine = project.folder / "metaflow-tutorials/00-helloworld/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("changed by me")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [METAFLOW, "tutorials", "pull", "--episode", "00-helloworld", "--language", "cpp"],
        cwd=project.folder,
        env=project.variables,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.write(ours, answer)
    assert project.finish(process).succeeded()
    assert mine.exists() == kept


def test_pulling_again_without_a_terminal_changes_nothing(project):
    mine = project.folder / "metaflow-tutorials/00-helloworld/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("changed by me")
    result = metaflow(project, "tutorials", "pull", "--episode", "00-helloworld").failed()
    assert "exists already" in result.stderr
    assert mine.exists()


@pytest.mark.parametrize("language", ["cpp", "python"])
def test_tutorials_are_listed_in_the_language_asked_for(project, language):
    listed = metaflow(project, "tutorials", "list", "--language", language).succeeded().stdout
    assert {"cpp": "01-penguins", "python": "01-playlist"}[language] in listed
    assert {"cpp": "01-playlist", "python": "01-penguins"}[language] not in listed


def test_an_episode_of_one_language_needs_no_language(project):
    metaflow(project, "tutorials", "pull", "--episode", "01-playlist").succeeded()
    assert (project.folder / "metaflow-tutorials/01-playlist/playlist.ipynb").is_file()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"python\n", "* 01-playlist "),
        (b"\n", "* 01-penguins "),
        (b"cobol\n", "There are no tutorials in 'cobol' here; there are those in cpp and python."),
    ],
)
def test_a_terminal_is_asked_for_the_language(project, answer, said):
    ours, theirs = pty.openpty()
    process = project.start([METAFLOW, "tutorials", "list"], stdin=theirs)
    os.write(ours, answer)
    result = project.finish(process)
    assert "Which language, cpp or python? [cpp] " in result.stdout
    assert said in result.stdout + result.stderr


# Status and help


@plain_build
def test_status_lists_the_flows_of_the_working_tree(project):
    write_hello(project)
    assert "There is no '.metaflow'" in metaflow(project, "status").failed().stderr
    metaflow(project, "hello.cpp", "run").succeeded()
    below = project.folder / "below"
    below.mkdir()
    result = project.run(METAFLOW, "status", cwd=below).succeeded()
    assert f'Working tree found at: "{project.folder}"' in result.stdout
    assert "* Flow('Hello')" in result.stdout


def test_alone_it_says_what_it_can_do(project):
    said = metaflow(project).succeeded().stdout
    for command in ("new", "tutorials", "status", "version", "help"):
        assert f"  {command} " in said


@plain_build
def test_the_program_may_stand_elsewhere_with_its_library_and_headers(project):
    write_hello(project)
    prefix = project.folder.parent / "a prefix"
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
    shutil.move(prefix, project.folder.parent / "moved")
    result = project.run(project.folder.parent / "moved/bin/metaflow", "hello.cpp", "run").succeeded()
    assert "bonjour" in result.stdout
