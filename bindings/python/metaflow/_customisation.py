"""What is computed before the engine sees a flow: the values of its configs, and what mutators make of the class.

A flow that has neither pays nothing for them: what it does not use is not imported.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ._graph import steps_of
from ._project import user_name
from .decorators import StepDecorator, flow_decorators_of
from .parameters import parameters_of


class Customisation:
    """Configs and mutators of one flow class, which is changed accordingly."""

    def __init__(self, flow_class: Any, argv: Sequence[str]) -> None:
        self._class = flow_class
        self._scope: Any = None
        self.configs: Dict[str, Any] = {}  #: the Config objects by attribute
        self.constants: Dict[str, Any] = {}  #: their values as they are stored
        self._values: Dict[str, Any] = {}
        if f"{__package__}.user_configs" in sys.modules:
            self._resolve(argv)
        if f"{__package__}.user_decorators" in sys.modules:
            from .user_decorators import pre_mutate

            pre_mutate(flow_class, self._values)
            self._evaluate([function.decorators for function in steps_of(flow_class).values()])

    def options(self) -> List[Dict[str, Any]]:
        """For the description."""
        if not self.configs:
            return []
        from .user_configs import options

        return options(self.configs)

    def mutate(self, decorators: Dict[str, List[StepDecorator]]) -> None:
        """Lets mutators change the decorators of steps, once those of the command line are attached."""
        if f"{__package__}.user_decorators" in sys.modules:
            from .user_decorators import mutate

            mutate(self._class, self._values, decorators)
            self._evaluate(decorators.values())

    def values_by_name(self) -> Any:
        """What defaults that are computed see of the configs; None without any."""
        if self._scope is None:
            return None
        from .user_configs import ConfigValue

        return ConfigValue(self._scope.by_name)

    def _resolve(self, argv: Sequence[str]) -> None:
        from .user_configs import Scope, configs_of, constants, resolve

        self.configs = dict(configs_of(self._class))
        if not self.configs:
            return
        self._values = resolve(self._class, argv, load_stored=_load_stored, user_name=user_name())
        self._scope = Scope(self.configs, self._values)
        self.constants = constants(self._values)
        self._evaluate([function.decorators for function in steps_of(self._class).values()])

    def _evaluate(self, of_steps: Any) -> None:
        if self._scope is None:
            return
        from .user_configs import evaluate_flow

        listed = [*flow_decorators_of(self._class), *(each for present in of_steps for each in present)]
        evaluate_flow(self._scope, listed, parameters_of(self._class).values())


def _load_stored(flow: str, run: Optional[str], root: Optional[str], names: Sequence[str]) -> Mapping[str, Any]:
    """What a run has stored under some names, as far as it has; of the latest run without an id."""
    from .client.stored import parameters_of_run

    return parameters_of_run(flow, run, root, names)
