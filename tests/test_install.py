"""A flow outside the repository builds against the installed tree, which may stand anywhere, and runs."""

import os
import shlex
import subprocess

import pytest
from conftest import BUILD, REPOSITORY

FLOW = """
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Outside {
  mf::Artifact<int> answer;
  void start() { answer = 42; }
  void end() { std::printf("the answer is %d\\n", *answer); }
  static constexpr auto graph() {
    using F = Outside;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Outside>(argc, argv); }
"""

CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(outside LANGUAGES CXX)
find_package(metaflow 0.1 REQUIRED)
add_executable(outside outside.cpp)
target_link_libraries(outside PRIVATE metaflow::metaflow)
"""

pytestmark = pytest.mark.builds


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, f"{shlex.join(map(str, command))}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """An installed tree, moved after the installation, in a folder whose name has a space."""
    first = tmp_path_factory.mktemp("install") / "first"
    run(REPOSITORY / "dev", "install", first, BUILD.name)
    moved = first.with_name("moved here")
    first.rename(moved)
    return moved


@pytest.fixture
def project(tmp_path):
    (tmp_path / "outside.cpp").write_text("#include <cstdio>\n" + FLOW)
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    return tmp_path


def assert_flow_runs(program, **environment):
    output = run(program, "run", cwd=program.parent, env={**os.environ, **environment})
    assert "the answer is 42" in output


def test_find_package_builds_a_flow_that_runs(prefix, project):
    run("cmake", "-G", "Ninja", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", project / "build")
    assert_flow_runs(project / "build" / "outside")


def test_find_package_refuses_another_minor_version(prefix, project):
    (project / "CMakeLists.txt").write_text(CMAKE.replace("metaflow 0.1", "metaflow 0.2"))
    command = ["cmake", "-G", "Ninja", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert 'compatible with requested version "0.2"' in result.stderr


def test_pkg_config_builds_a_flow_that_runs(prefix, project):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "metaflow", env=environment))
    run("g++", project / "outside.cpp", "-o", project / "outside", *flags)
    assert_flow_runs(project / "outside", LD_LIBRARY_PATH=str(prefix / "lib"))


def test_pkg_config_builds_a_program_in_c(prefix, tmp_path):
    source = (
        "#include <metaflow/metaflow.h>\n#include <stdio.h>\nint main(void) { puts(metaflow_version()); return 0; }\n"
    )
    (tmp_path / "program.c").write_text(source)
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "metaflow", env=environment))
    run("cc", tmp_path / "program.c", "-o", tmp_path / "program", *flags)
    environment["LD_LIBRARY_PATH"] = str(prefix / "lib")
    assert run(tmp_path / "program", env=environment).startswith("2.19.38+cpp.")


def test_the_installed_program_finds_its_library(prefix):
    assert "2.19.38+cpp." in run(prefix / "bin" / "metaflow", "version")


def test_the_installed_program_finds_its_way_to_the_cloud(prefix, tmp_path):
    environment = {
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/root",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "eu-west-1",
        "HOME": str(tmp_path),
    }
    command = [prefix / "bin" / "metaflow", "status"]  # fails, as nothing has run here
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment).stdout
    assert "region    eu-west-1, from AWS_REGION\n" in said


@pytest.mark.parametrize(
    ("language", "names", "script"),
    [
        ("cpp", ["00-helloworld", "01-penguins", "02-statistics", "03-reuse", "04-tuning"], "*.cpp"),
        ("python", ["00-helloworld", "01-playlist", "02-statistics", "03-playlist-redux", "04-playlist-plus"], "*.py"),
    ],
)
def test_tutorials_are_installed_complete(prefix, language, names, script):
    episodes = prefix / "share" / "metaflow" / "tutorials" / language
    assert sorted(path.name for path in episodes.iterdir()) == names
    for episode in episodes.iterdir():
        assert (episode / "README.md").is_file()
        assert len(list(episode.glob(script))) == 1
    data = episodes / names[4] / "penguins.csv"
    assert data.read_bytes() == (REPOSITORY / "examples" / "data" / "penguins.csv").read_bytes()
    assert not data.is_symlink()
