"""What a run has stored of its parameters and configs."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from ..exception import MetaflowNotFound
from .records import Records

_PARAMETERS = "_parameters"


def parameters_of_run(flow: str, run: Optional[str], root: Optional[str], names: Sequence[str]) -> Dict[str, Any]:
    """Values under some names, as far as the run has them. `run` None: the one that `resume` would go on with. `root` is the
    `.metaflow` folder itself, None for the usual one. MetaflowNotFound when there is no such run."""
    records = Records({"root": root} if root else {}, None)
    run = run or records.describe(flow)["latest_run"]
    if run is None:
        raise MetaflowNotFound(f"Flow '{flow}' has no run that could be resumed.")
    step = f"{flow}/{run}/{_PARAMETERS}"
    task = f"{step}/{records.children(step)[0]}"
    stored = set(records.children(task))
    return {name: records.artifact(f"{task}/{name}") for name in names if name in stored}
