"""Runs many flows that end soon by the official package in forks of one process, as importing it takes far longer than they do:
`python official_forks.py CASES ANSWERS`, both JSON; a case is the words of a command line, its answer [exit code, stdout, stderr]."""

import json
import os
import runpy
import sys
import tempfile
import traceback
from pathlib import Path

import metaflow  # noqa: F401  # before any fork


def run(words):
    """As a process of its own would, to its exit."""
    sys.argv = words
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def ended(words):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = run(words)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        streams = []
        for stream in (out, err):
            stream.seek(0)
            streams.append(stream.read().decode(errors="replace"))
    return [os.waitstatus_to_exitcode(status), *streams]


if __name__ == "__main__":
    cases, answers = map(Path, sys.argv[1:])
    answers.write_text(json.dumps([ended(words) for words in json.loads(cases.read_text())]))
