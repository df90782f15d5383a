"""Stores that somebody damaged, and command lines that nobody would type: whatever is in the way is said in a sentence or
two, with exit code 1 or 2, or it was not needed."""

import gzip
import hashlib
import json
import os
import pickle
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import BUILD, program

METAFLOW = BUILD / "bin/metaflow"
FLOW = "Resumable"
NONE_KEY = "dbc1aaddc8b7343d6d33b34edcf608b8f8801918"  # of the pickle of None
ENOUGH = 20  # seconds for a command that has little to do

# What only a bug would say: our own words for one (a step shows an Error thrown in its body below the same), and those
# of libraries.
UNFORESEEN = re.compile(
    r"Internal error\n(?!metaflow::Error)|json\.exception|std::|basic_string|vector::|bad_alloc|terminate called|Sanitizer"
)


def judge(said, what) -> None:
    """Holds for any command, on whatever input."""
    assert said.exit in (0, 1, 2), f"{what}: {said}"
    assert not UNFORESEEN.search(said.stderr), f"{what}: {said}"
    assert said.exit == 0 or said.stderr.strip(), f"{what}: nothing was said: {said}"
    assert len(said.stderr) < 5000, f"{what}: {said}"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", said.stderr), f"{what}: {said}"


# Damage


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def members_of(text: bytes) -> dict | None:
    """Nothing if it is no JSON object."""
    try:
        members = json.loads(text)
    except ValueError:
        return None
    return members if isinstance(members, dict) else None


def other_types(before: bytes) -> bytes:
    """Numbers for texts and texts for numbers, if it is an object at all."""
    members = members_of(before)
    if members is None:
        return b"7"
    return json.dumps({name: str(old) if isinstance(old, int) else 7 for name, old in members.items()}).encode()


def nested_members(before: bytes) -> bytes:
    """As deep as no stack would bear, where a value is expected."""
    members = members_of(before)
    if members is None:
        return deep(100_000)
    texts = (json.dumps(name).encode() + b": " + deep(10_000) for name in members)
    return b"{" + b", ".join(texts) + b"}"


def other_values(before: bytes) -> bytes:
    """What stands at the end of each value's range, or is the name of another thing."""
    members = members_of(before)
    if members is None:
        return b'"../../../etc/passwd"'
    new = {int: -(2**63), str: "../../\x1b[31m" + "x" * 300, list: ["attempt_id:99999999999", "attempt_id:"]}
    members = {name: new.get(type(old), old) for name, old in members.items()}
    if "sha" in members:
        members["sha"] = NONE_KEY
    return json.dumps(members).encode()


def none_for_everything(before: bytes) -> bytes:
    """A table or pointer whose keys all lead to a blob that is there, but is None."""
    return re.sub(r'"[0-9a-f]{40}"', f'"{NONE_KEY}"', before.decode()).encode()


DAMAGES = {
    "nothing": lambda before: b"",
    "a brace": lambda before: b"{",
    "an array": lambda before: b"[]",
    "null": lambda before: b"null",
    "other types": other_types,
    "other values": other_values,
    "none for everything": none_for_everything,
    "deep": lambda before: deep(100_000),
    "deep members": nested_members,
    "NUL bytes": lambda before: b"\0" * 1000,
    "no UTF-8": lambda before: before.replace(b"e", b"\xff"),
}


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_endless_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


OBSTACLES = {"a folder": put_folder, "an endless link": put_endless_link}


def restore(whole: Path, damaged: Path) -> None:
    if damaged.is_dir():
        damaged.rmdir()
    else:
        damaged.unlink()
    shutil.copyfile(whole, damaged)


@pytest.fixture(scope="module")
def failed_run(shared_project):
    """A run that failed at its last step, and the task in a foreach whose files are damaged."""
    project = shared_project
    project.run_flow("resumable", "run", "--width", "2", "--depth", "1", FAIL="end").failed()
    project.number = project.latest_run(FLOW)
    project.task = min((project.root() / FLOW / project.number / "item").glob("[0-9]*")).name
    (project.root() / "config.json").write_text('{"METAFLOW_RUNTIME_NAME": "dev"}')
    shutil.copytree(project.root(), project.folder.parent / "whole")
    return project


def files_to_damage(project) -> list[Path]:
    """One of each kind of record, by its path in the store."""
    root = project.folder.parent / "whole"
    run = root / FLOW / project.number
    found = [
        root / "config.json",
        root / FLOW / "latest_run",
        root / FLOW / "_meta/_self.json",
        run / "_meta/_self.json",
    ]
    found += [run / "item/_meta/_self.json"]
    for task in (run / "_parameters/0", run / "item" / project.task):
        found += [path for path in sorted(task.rglob("*")) if path.is_file()]
    pointers = re.compile(r"_artifact_(?!_task_ok|_success|_exception|_foreach_stack|_graph_info|word)")
    return [path.relative_to(root) for path in found if not pointers.search(path.name)]


def commands(project) -> list[list]:
    flow = program("resumable")
    run, step, task = f"{FLOW}/{project.number}", f"{project.number}/item", f"{project.number}/item/{project.task}"
    return [
        [METAFLOW, "ls"],
        [METAFLOW, "ls", FLOW],
        [METAFLOW, "ls", f"{FLOW}/{step}"],
        [METAFLOW, "inspect", run],
        [METAFLOW, "inspect", f"{FLOW}/{task}"],
        [flow, "dump", "--private", step],
        [flow, "logs", task],
        [flow, "resume"],
        [flow, "tag", "add", "--run-id", project.number, "new"],
    ]


def damage_one_by_one(project, damage: str, folder: Path, files: list[Path]) -> None:
    """Gives every command each file damaged once, in a copy of the store."""
    whole, root = project.folder.parent / "whole", folder / ".metaflow"
    shutil.copytree(whole, root)
    runs = set(os.listdir(root / FLOW))
    for path in files:
        if damage in DAMAGES:
            (root / path).write_bytes(DAMAGES[damage]((whole / path).read_bytes()))
        else:
            OBSTACLES[damage](root / path)
        for command in commands(project):
            said = project.run(*command, cwd=folder, deadline=ENOUGH)
            judge(said, f"{path} with {damage}: {[str(word) for word in command]}")
        for changed in (path, Path(FLOW, project.number, "_meta/_self.json")):
            restore(whole / changed, root / changed)
        for resumed in set(os.listdir(root / FLOW)) - runs:
            shutil.rmtree(root / FLOW / resumed)


@pytest.mark.parametrize("damage", [*DAMAGES, *OBSTACLES])
def test_a_damaged_file_is_named_or_was_not_needed(failed_run, damage, tmp_path):
    files = files_to_damage(failed_run)
    workers = os.cpu_count()
    with ThreadPoolExecutor(workers) as pool:
        parts = [
            pool.submit(damage_one_by_one, failed_run, damage, tmp_path / str(i), files[i::workers])
            for i in range(workers)
        ]
    for part in parts:
        part.result()


# Artifacts that no run would have left

VALUES = [
    None,
    True,
    [],
    "x",
    -1,
    10**18,
    2**100,
    [None],
    [[], []],
    {"steps": 7},
    ([], None),
    (["item"], None),
    ([7], 7),
]
OWNERS = {
    "_transition": "left",
    "_task_ok": "left",
    "_foreach_var": "left",
    "_foreach_values": "left",
    "_foreach_num_splits": "left",
    "_foreach_stack": "item",
    "_iteration_stack": "loop",
    "_graph_info": "_parameters",
    "word": "item",
    "width": "_parameters",
}


def replace_artifact(root: Path, task: Path, name: str, value) -> None:
    """Stores a value in place of what the task left, with all that leads to it."""
    content = pickle.dumps(value, protocol=4)
    key = hashlib.sha1(content).hexdigest()
    blob = root / FLOW / "data" / key[:2] / key
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(gzip.compress(content))
    for file, place in ((task / "0.data.json", ["objects", name]), (task / f"_meta/0_artifact_{name}.json", ["sha"])):
        if file.exists():
            record = json.loads(file.read_text())
            (record[place[0]] if len(place) == 2 else record)[place[-1]] = key
            file.write_text(json.dumps(record))


@pytest.mark.parametrize("name", OWNERS)
def test_an_artifact_of_another_form_is_named_or_was_not_needed(failed_run, name, tmp_path):
    project = failed_run
    run, root = project.number, tmp_path / ".metaflow"
    step = OWNERS[name]
    flow = program("resumable")
    child = ["step", "item", "--run-id", run, "--task-id", "99", "--split-index", "0", "--input-paths"]
    for value in VALUES:
        shutil.copytree(project.folder.parent / "whole", root)
        task = min((root / FLOW / run / step).glob("[0-9]*"))
        replace_artifact(root, task, name, value)
        for command in (
            [METAFLOW, "inspect", f"{FLOW}/{run}/{step}/{task.name}"],
            [METAFLOW, "ls", f"{FLOW}/{run}/{step}"],
            [flow, "dump", "--private", f"{run}/{step}/{task.name}"],
            [flow, "resume"],
            [flow, *child, f"{run}/{step}/{task.name}"],
        ):
            said = project.run(*command, cwd=tmp_path, deadline=ENOUGH)
            judge(said, f"{name} = {value!r}: {[str(word) for word in command]}")
        shutil.rmtree(root)


@pytest.mark.parametrize("content", [b"\0", b'"' + b"x" * 1000])
def test_a_hundred_megabytes_are_refused_in_bounded_time(failed_run, content, tmp_path):
    project = failed_run
    shutil.copytree(project.folder.parent / "whole", tmp_path / ".metaflow")
    run = Path(FLOW) / project.number
    for path in (run / "_meta/_self.json", run / "item" / project.task / "0.data.json"):
        (tmp_path / ".metaflow" / path).write_bytes(content * (100_000_000 // len(content)))
        for command in commands(project)[1:6]:
            judge(project.run(*command, cwd=tmp_path, deadline=ENOUGH), f"{path}: {[str(word) for word in command]}")


# Command lines

LONGEST = "x" * 131_000  # Linux passes no longer argument
NESTED = '{"a": ' * 10_000 + "1" + "}" * 10_000
FLOW_COMMAND_LINES = [
    [LONGEST],
    ["run", LONGEST],
    ["run", "--tag", LONGEST],
    ["run", "--max-workers", "9" * 100_000],
    ["run", *[f"--tag={i}" for i in range(60_000)]],
    ["run", *["--unknown"] * 60_000],
    [*["--quiet"] * 60_000, "sow"],
    ["--with", LONGEST, "run"],
    ["--with", "retry:times=" + '\\"' * 60_000, "run"],
    ["--with", "environment:vars=" + "[" * 60_000, "run"],
    ["--with", "environment:vars=" + NESTED, "run"],
    ["--with", 'environment:vars={\\"a\\": \\"{\\\\"b\\\\": 1}\\"', "run"],
    ["--with", "catch:var=\x1b[31m", "run"],
    ["--with", b"\xff:\xfe=\xfd", "run"],
    ["--with", b"retry:times=\xff", "run"],
    ["--with", "retry:" + "times=1," * 10_000 + "times=9", "run"],
    ["--datastore-root", LONGEST, "run"],
    ["dump", "/" * 100_000],
    ["dump", "../.."],
    ["logs", "a/" + LONGEST[:100_000]],
    ["tag", "list", "--run-id", "../../.."],
    ["resume", "--origin-run-id", LONGEST],
    ["resume", b"\xff\x1b[31m"],
    ["step", "start", "--run-id", "..", "--task-id", "../..", "--input-paths", "!" + "A" * 100_000],
    ["step", "start", "--run-id", "7", "--task-id", "1", "--input-paths", b"\xff/\xfe/\xfd"],
    ["step", "start", "--run-id", "7", "--task-id", "1", "--input-paths", "p" * 60_000 + ":" + "," * 60_000],
    ["step", "start", "--run-id", "7", "--task-id", "1", "--retry-count", "99999999999", "--input-paths", "7/a/1"],
    [b"\x1b]0;title\x07"],
]
PROGRAM_COMMAND_LINES = [
    [LONGEST],
    [LONGEST + ".cpp", "run"],
    [b"\xff.cpp", "run"],
    [b"\xff\x1b[31m"],
    ["/"],
    ["ls", LONGEST],
    ["ls", b"\xff/\xfe"],
    ["ls", "--since", LONGEST],
    ["ls", "--limit", "9" * 1000],
    ["ls", *["--tag=x"] * 60_000],
    ["inspect", "../../.."],
    ["inspect", "/" * 100_000],
    ["new", LONGEST],
    ["new", b"../\xff"],
    ["tutorials", "info", "\x1b[31m"],
]


def typed(project, path: Path, words: list):
    return project.run(path, *[os.fsdecode(word) for word in words], deadline=ENOUGH)


@pytest.mark.parametrize("words", FLOW_COMMAND_LINES, ids=lambda words: ascii(words[:3])[:60])
def test_a_flow_program_refuses_what_nobody_would_type(project, words):
    said = typed(project, program("single"), words)
    judge(said, words[0][:50])
    assert said.exit != 0, said


@pytest.mark.parametrize("words", PROGRAM_COMMAND_LINES, ids=lambda words: ascii(words[:3])[:60])
def test_the_program_metaflow_refuses_what_nobody_would_type(project, words):
    said = typed(project, METAFLOW, words)
    judge(said, words[0][:50])
    assert said.exit != 0, said


@pytest.mark.parametrize(
    "words",
    [
        ["--settings", NESTED],
        ["--settings", "[" * 100_000],
        ["--settings", "1e400"],
        ["--settings", b'"\xff"'],
        ["--rate", "1e400"],
        ["--rate", LONGEST],
        ["--count", "9" * 1000],
        ["--speed", LONGEST],
        ["--deep", "\x1b[31m"],
        ["--notes", "/dev/zero"],
        ["--notes", "{" * 1000],
        ["--notes", '{"type": ' + NESTED + "}"],
    ],
    ids=lambda words: ascii(words)[:60],
)
def test_a_parameter_of_another_form_is_a_usage_error(project, words):
    said = typed(project, program("commands"), ["run", "--who", "me", *words])
    judge(said, words[0])
    assert said.exit == 2 and words[0] in said.stderr, said


def test_a_failure_that_no_scheduler_told_of_is_refused(project):
    words = ["step", "start", "--run-id", "7", "--task-id", "1", "--input-paths", "7/a/1"]
    for text in ("", "{", "[]", '{"type": 1}', "\udcff"):
        said = project.run(program("single"), *words, METAFLOW_TASK_FAILURE=text)
        judge(said, text)
        assert said.exit == 2 and "METAFLOW_TASK_FAILURE" in said.stderr, said


@pytest.mark.parametrize("seed", range(4))
def test_random_words_are_refused(project, seed):
    """Bytes without meaning between words that have one; nothing here can start a run."""
    chance = random.Random(seed)
    known = ["check", "show", "dump", "logs", "tag", "list", "ls", "inspect", "status", "tutorials", "--quiet", "--with",
             "--limit", "--json", "--tag", "--", "-", "", "="]  # fmt: skip
    for _ in range(40):
        words = [
            chance.choice(known).encode() + bytes(chance.choices(range(1, 256), k=chance.choice([0, 1, 20])))
            for _ in range(chance.randint(1, 6))
        ]
        for path in (program("single"), METAFLOW):
            judge(typed(project, path, words), words)
