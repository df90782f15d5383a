"""`package`: what another machine needs of a flow program; with the official client as its reader."""

import hashlib
import json
import os
import shutil
import tarfile

import pytest
from conftest import REPOSITORY, program

SOURCE = REPOSITORY / "tests/flows/options.cpp"
OWN = ["--package-suffixes", ".options_only"]  # the sources of the other test flows left out


def package(project, *arguments, before=(), **variables):
    return project.run_flow("options", *before, "package", *arguments, **variables)


def saved(project, name="package.tgz", **settings) -> bytes:
    package(project, "save", name, **settings).succeeded()
    return (project.folder / name).read_bytes()


@pytest.fixture
def extracted(project):
    saved(project, before=OWN)
    with tarfile.open(project.folder / "package.tgz") as archive:
        archive.extractall(project.folder / "extracted")
    return project.folder / "extracted"


# Contents


def test_a_package_holds_the_program_its_library_and_its_source(project, extracted):
    assert (extracted / "bin/Options").read_bytes() == program("options").read_bytes()
    assert os.access(extracted / "bin/Options", os.X_OK)
    assert (extracted / "options.cpp").read_text() == SOURCE.read_text()
    assert [path.name.split(".so")[0] for path in (extracted / "lib").iterdir()] == ["libmetaflow"]
    info = json.loads((extracted / ".mf_meta/INFO").read_text())
    assert (info["script"], info["program"]) == ("options.cpp", "bin/Options")


def test_the_packaged_program_runs_elsewhere(project, extracted):
    moved = project.folder.parent / "elsewhere"
    shutil.move(extracted, moved)
    result = project.run(moved / "bin/Options", "run", LD_LIBRARY_PATH=moved / "lib").succeeded()
    assert result.stdout.endswith("Done!\n")


def test_the_list_names_the_files_on_this_machine_or_in_the_package(project):
    here = package(project, "list", before=OWN).succeeded().stdout.splitlines()
    assert "<.mf_meta/INFO>" in here and str(SOURCE) in here and str(program("options").resolve()) in here
    inside = package(project, "list", "--archive", before=OWN).succeeded().stdout.splitlines()
    saved(project, before=OWN)
    with tarfile.open(project.folder / "package.tgz") as archive:
        assert inside == archive.getnames()
    assert len(here) == len(inside)


def test_suffixes_choose_the_sources(project):
    def sources(*before, **variables):
        listed = package(project, "list", "--archive", before=before, **variables).succeeded().stdout.splitlines()
        return {name for name in listed if not name.startswith((".mf_", "bin/", "lib/"))}

    assert sources() == {path.name for path in SOURCE.parent.glob("*.cpp")}
    assert sources("--package-suffixes", ".txt,.md") == {"options.cpp", "CMakeLists.txt"}
    assert sources(METAFLOW_PACKAGE_SUFFIXES=".txt") == {"options.cpp", "CMakeLists.txt"}
    assert sources(METAFLOW_DEFAULT_PACKAGE_SUFFIXES=".txt") == {"options.cpp", "CMakeLists.txt"}


def test_info_says_how_large_it_is_and_what_is_in_it(project):
    size = len(content := saved(project))
    said = package(project, "info").succeeded().stdout
    assert f"Package size: {size / 2**20:.2f} MB\n" in said
    assert f"SHA-1: {hashlib.sha1(content).hexdigest()}\n" in said
    assert f"Sources in {SOURCE.parent}, with suffixes .cpp, .cc," in said


# The same again


def test_the_same_files_give_the_same_package(project):
    first = saved(project)
    assert saved(project, "again.tgz", USER="other") == first
    with tarfile.open(project.folder / "package.tgz") as archive:
        owners = {(member.uid, member.gid, member.uname, member.mtime) for member in archive}
    assert owners == {(0, 0, "", 1575360000)}


# The official client


def make_code_of(project, flow: str, run: str, content: bytes, first_step: str = "start") -> None:
    """Records a package as a run has it that goes to the cloud."""
    key = hashlib.sha1(content).hexdigest()
    blob = project.root() / flow / "data" / key[:2] / key
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(content)
    value = {
        "ds_type": "local",
        "sha": key,
        "location": str(blob),
        "metadata": '{"version": 0, "archive_format": "tgz", "mfcontent_version": 1}',
    }
    meta = project.root() / flow / run / first_step / "1/_meta"
    datum = json.loads(next(meta.glob("sysmeta_ds-type_*.json")).read_text())
    datum |= {"field_name": "code-package", "type": "code-package", "value": json.dumps(value)}
    (meta / f"sysmeta_code-package_{datum['ts_epoch']}.json").write_text(json.dumps(datum))


READ_CODE = """
    code = Run(pathspec).code
    with code.extract() as folder:
        extracted = open(folder + '/' + code.script_name).read()
    flowspec = code.flowspec if isinstance(code.flowspec, str) else code.flowspec.decode()
    result = [code.script_name, flowspec, extracted]
"""


def test_the_official_client_reads_a_package_as_the_code_of_a_run(project):
    project.run_flow("options", "run").succeeded()
    run = project.latest_run("Options")
    make_code_of(project, "Options", run, saved(project))
    told = project.official(READ_CODE, pathspec=f"Options/{run}")
    assert told == ["options.cpp", SOURCE.read_text(), SOURCE.read_text()]


# The command line


def test_options_of_the_group_stand_before_its_command(project):
    package(project, "--timeout", "5", "info").succeeded()
    assert package(project, "info", "--timeout", "5").exit == 2


def test_help_names_the_commands(project):
    said = package(project, "--help").succeeded().stdout
    assert said.startswith("Usage: options package [OPTIONS] COMMAND [ARGS]...\n")
    assert all(f"  {name} " in said for name in ("info", "list", "save"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing command."),
        (["nothing"], "No such command 'nothing'."),
        (["lst"], "Did you mean 'list'?"),
        (["save"], "Missing argument 'PATH'."),
        (["list", "--archiv"], "Did you mean '--archive'?"),
    ],
)
def test_a_wrong_command_line_is_refused(project, words, said):
    result = package(project, *words)
    assert result.exit == 2
    assert said in result.stderr


def test_a_folder_that_is_not_there_is_named(project):
    assert "There is no folder" in package(project, "save", "no/where.tgz").failed().stderr
    assert not (project.folder / "no").exists()
