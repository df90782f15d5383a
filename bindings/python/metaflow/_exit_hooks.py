"""`@exit_hook`: functions that are called when a run has ended."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, List, Optional, Sequence, Union

from .decorators import flow_decorators_of
from .exception import MetaflowException, current_traceback

_OPTION = "--run-id-file"

Hook = Callable[..., Any]


class ExitHooks:
    """The hooks of one flow, and how they learn which run has ended. Without hooks nothing happens."""

    def __init__(self, flow_class: Any, argv: Sequence[str]) -> None:
        self._class = flow_class
        self._file: Optional[str] = None
        self._own_file: Optional[str] = None
        self._decorators = [each for each in flow_decorators_of(flow_class) if each.name == "exit_hook"]
        if not self._decorators:
            return
        from .user_configs import command_of

        if command_of(argv) in ("run", "resume") and "--help" not in argv:
            self._file = _given_file(argv)
            if self._file is None:
                import tempfile  # slow to load, and of use here only

                descriptor, self._file = tempfile.mkstemp(prefix="metaflow-run-id-")
                os.close(descriptor)
                self._own_file = self._file

    def more_words(self) -> List[str]:
        """What the command line needs beside what the user wrote."""
        return [_OPTION, self._own_file] if self._own_file else []

    def call(self, succeeded: bool) -> None:
        """Calls each hook in a process of its own. One that fails is reported, and changes nothing."""
        run_id = self._take_run_id()
        if not run_id:
            return  # there was no run
        for decorator in self._decorators:
            for hook in decorator.attributes["on_success" if succeeded else "on_error"]:
                self._call_apart(self._function(hook), run_id)

    def _take_run_id(self) -> str:
        if self._file is None:
            return ""
        try:
            with open(self._file, encoding="utf-8") as file:  # noqa: PTH123  # pathlib would cost start-up time
                return file.read().strip()
        except OSError:
            return ""
        finally:
            if self._own_file:
                os.unlink(self._own_file)  # noqa: PTH108

    def _function(self, hook: Union[str, Hook]) -> Hook:
        if callable(hook):
            return hook
        found: Optional[Hook] = getattr(sys.modules[self._class.__module__], hook, None)
        if found is None or not callable(found):
            raise MetaflowException(f"The exit hook '{hook}' is no function of the flow's module.")
        return found

    def _call_apart(self, hook: Hook, run_id: str) -> None:
        name = getattr(hook, "__name__", str(hook))
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            self._call_here(hook, run_id)
        _, status = os.waitpid(process, 0)
        if status != 0:
            print(f"The exit hook '{name}' has failed; the run is as it was.", file=sys.stderr)

    def _call_here(self, hook: Hook, run_id: str) -> None:
        code = 1
        try:
            import inspect

            from .client import Run, namespace

            namespace(None)
            takes_run = "run" in inspect.signature(hook).parameters
            hook(**({"run": Run(f"{self._class.__name__}/{run_id}")} if takes_run else {}))
            code = 0
        except BaseException:
            print(current_traceback(), file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _given_file(argv: Sequence[str]) -> Optional[str]:
    for i, word in enumerate(argv):
        if word.startswith(_OPTION + "="):
            return word[len(_OPTION) + 1 :]
        if word == _OPTION and i + 1 < len(argv):
            return argv[i + 1]
    return None
