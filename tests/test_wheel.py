"""The Python wheel, installed into a clean virtual environment: it needs nothing else, and its program works."""

import json
import os
import re
import subprocess
import sys
import zipfile

import pytest
from conftest import BUILD, REPOSITORY

pytestmark = pytest.mark.builds

VERSION = "2.19.38+cpp."
# What every Linux has that the manylinux profiles are about; all else must come along or be linked in.
ALWAYS_THERE = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1"}


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_it_is_the_only_one_in_dist_and_for_any_python_of_this_platform(wheel_environment):
    wheel = wheel_environment.wheel
    assert list(wheel.parent.glob("*.whl")) == [wheel]
    assert re.fullmatch(
        r"metaflow_cpp-2\.19\.38\+cpp\.[\d.]+-py3-none-manylinux_2_\d+_" + os.uname().machine + r"\.whl", wheel.name
    )


def test_auditwheel_accepts_it_for_machines_of_2021(wheel_environment):
    command = [sys.executable, "-m", "auditwheel", "show", wheel_environment.wheel]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    accepted = re.search(r'platform\s+tag:\s+"manylinux_2_(\d+)_', said)
    assert accepted, said
    assert int(accepted[1]) <= 34


def test_it_needs_no_library_that_it_does_not_bring(wheel_environment):
    package = next(wheel_environment.folder.glob("lib/python*/site-packages/metaflow"))
    brought = {path.name for path in package.glob("*.so*")}
    for binary in (package / "libmetaflow.so", package / "libmetaflow_cloud.so", package / "bin/metaflow"):
        said = subprocess.run(["objdump", "-p", binary], capture_output=True, text=True, check=True).stdout
        needed = set(re.findall(r"NEEDED\s+(\S+)", said))
        assert {name for name in needed - brought - ALWAYS_THERE if not name.startswith("ld-linux")} == set()


def test_its_library_shows_nothing_but_the_c_interface(wheel_environment):
    library = next(wheel_environment.folder.glob("lib/python*/site-packages/metaflow/libmetaflow.so"))
    command = ["nm", "-D", "--defined-only", "--format=just-symbols", library]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "metaflow_abi_version" in symbols
    assert [name for name in symbols if not name.startswith("metaflow_")] == []


def test_its_program_has_a_way_to_the_cloud(project, wheel_environment):
    """The error comes across, though module and program have a C++ runtime each."""
    config = project.folder / "config"
    config.write_text("[default]\nregion = eu-west-1\n")
    settings = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/root", "AWS_CONFIG_FILE": config}
    said = project.run(wheel_environment.program, "status", **settings).stdout
    assert f"region    eu-west-1, from '{config}' line 2\n" in said
    assert "keys      No AWS keys were found; looked for AWS_ACCESS_KEY_ID in the environment, " in said
    config.write_text("nonsense\n")
    said = project.run(wheel_environment.program, "status", **settings).stdout
    assert f"'{config}' cannot be used: line 1 " in said


def test_its_metadata_names_licence_and_version_and_no_requirement(project, wheel_environment):
    code = "import importlib.metadata as m, json; print(json.dumps(list(m.metadata('metaflow-cpp').items())))"
    metadata = json.loads(project.run(wheel_environment.python, "-c", code).succeeded().stdout)
    assert ["License", "Apache-2.0"] in metadata
    assert [value for name, value in metadata if name == "Version" and value.startswith(VERSION)]
    assert "Requires-Dist" not in dict(metadata)


def test_the_licences_of_what_is_linked_in_come_along(wheel_environment):
    licences = {name.rpartition("/")[2] for name in names_in(wheel_environment.wheel) if "/licenses/" in name}
    assert {"LICENSE", "libisal2", "libssl-dev", "libfmt-dev", "nlohmann-json3-dev", "libcli11-dev"} <= licences


def test_it_brings_what_type_checkers_look_for_and_no_compiled_python(wheel_environment):
    names = names_in(wheel_environment.wheel)
    assert "metaflow/py.typed" in names
    assert [name for name in names if "__pycache__" in name] == []


def test_the_same_files_make_the_same_bytes(wheel_environment, tmp_path):
    script = REPOSITORY / "bindings/python/make_wheel.py"
    subprocess.run([sys.executable, script, BUILD / "wheel_content", tmp_path], check=True, capture_output=True)
    assert (tmp_path / wheel_environment.wheel.name).read_bytes() == wheel_environment.wheel.read_bytes()


def test_the_package_says_its_version(project, wheel_environment):
    said = project.run(wheel_environment.python, "-c", "import metaflow; print(metaflow.__version__)").succeeded()
    assert said.stdout.startswith(VERSION)


@pytest.mark.parametrize("start", ["program", "module"])
def test_the_program_can_be_started(project, wheel_environment, start):
    command = {"program": [wheel_environment.program], "module": [wheel_environment.python, "-m", "metaflow"]}[start]
    assert VERSION in project.run(*command, "version").succeeded().stdout


def test_the_program_brings_the_tutorials_in_python(project, wheel_environment):
    listed = project.run(wheel_environment.program, "tutorials", "list").succeeded().stdout
    for episode in ("00-helloworld", "01-playlist", "02-statistics", "03-playlist-redux", "04-playlist-plus"):
        assert f"* {episode:<20} - " in listed
    described = project.run(wheel_environment.program, "tutorials", "info", "01-playlist").succeeded().stdout
    for heading in ("Synopsis:", "Showcasing:", "Before playing:", "To play:"):
        assert f"{heading}\n" in described
    project.run(wheel_environment.program, "tutorials", "pull").succeeded()
    pulled = project.folder / "metaflow-tutorials/01-playlist"
    assert sorted(path.name for path in pulled.iterdir()) == [
        "README.md",
        "penguins.csv",
        "playlist.ipynb",
        "playlist.py",
    ]


def test_the_program_says_what_c_plus_plus_flows_need(project, wheel_environment):
    (project.folder / "hello.cpp").write_text("int main() {}\n")
    result = project.run(wheel_environment.program, "hello.cpp", "run").failed()
    assert "This program belongs to the Python package" in result.stderr
    refused = project.run(wheel_environment.program, "tutorials", "list", "--language", "cpp")
    assert refused.exit == 2
    assert "There are no tutorials in 'cpp' here; there are those in python." in refused.stderr


def test_flows_do_with_it_what_every_metaflow_has_to_do(wheel_environment):
    """By the tests of that; by one of them unless METAFLOW_TEST_ALL is set."""
    tests = REPOSITORY / "tests/test_python_acceptance.py"
    chosen = [] if os.environ.get("METAFLOW_TEST_ALL") else ["-k", "test_06"]
    command = [sys.executable, "-m", "pytest", "-q", tests, *chosen]
    installed = {"METAFLOW_TEST_INSTALLED": str(wheel_environment.python)}
    said = subprocess.run(command, env={**os.environ, **installed}, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
    assert "skipped" not in said.stdout
