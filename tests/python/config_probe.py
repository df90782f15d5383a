"""What ConfigValue and the parsers do, as JSON: run under both packages, which are to agree."""

import json

import metaflow

VALUE = {"a": {"b": 1}, "list": [1, {"c": 2}], "keys": 3, "pair": (1, {"d": 4})}

REQUIREMENTS = [
    "",
    "# nothing\n\n",
    "numpy==1.2\npandas>=2,<3\n",
    "numpy # why",
    "numpy[extra]==1",
    "numpy @ git+https://somewhere",
    "python==3.9\nnumpy",
    "  numpy  ==  1.2  ",
    "numpy~=1.2",
    "numpy===1",
    "a!=1\nFoo_Bar.x==1.*",
    "numpy==1\nnumpy==2",
    "numpy==1 # via x\n    # via y",
    "numpy ; python_version<'3.9'",
    "--index-url https://x\nnumpy",
    "-e .",
    "numpy 1.2",
    "./local.whl",
]
PROJECTS = [
    "",
    "[project]\nname='x'\n",
    "[project]\ndependencies=['numpy==1.2','pandas>=2,<3','x[extra]']\nrequires-python='>=3.8'\n",
    "[project]\nrequires-python='==3.9.*'",
    "[project]\ndependencies=['a==1; python_version<\"3\"']",
    "[tool.poetry.dependencies]\npython='^3.8'",
]
ENVIRONMENTS = [
    "",
    "name: x\ndependencies:\n  - python=3.9\n  - numpy=1.2\n",
    "channels:\n  - conda-forge\ndependencies:\n- numpy # why\n  # more\n- scipy>=1,<2\n",
    "dependencies:\n  - numpy=1.2=py39_0\n  - a~=1.2\n  - b!=1\n  - python\nprefix: /x",
    "dependencies:\n  - pip:\n    - requests==1\n",
    "dependencies:\n  - conda-forge::numpy==1.2\n",
    "dependencies:\n  - scipy 1.2\n",
    "dependencies: [numpy]",
]


def attempt(action):
    """What it gives, or the name of its exception."""
    try:
        return repr(action())
    except Exception as error:
        return type(error).__name__


def setting(value, name):
    setattr(value, name, 1)


def deleting(value, name):
    del value[name]


def about_values():
    value = metaflow.ConfigValue(VALUE)
    actions = {
        "attribute": lambda: value.a.b,
        "item": lambda: value["a"]["b"],
        "in a list": lambda: value.list[1].c,
        "in a tuple": lambda: value.pair[1].d,
        "method wins": lambda: callable(value.keys),
        "absent attribute": lambda: value.nope,
        "absent item": lambda: value["nope"],
        "get": lambda: (value.get("a"), value.get("nope"), value.get("nope", 3)),
        "is a dict": lambda: isinstance(value, dict),
        "equals": lambda: value == VALUE,
        "length": lambda: len(value),
        "contains": lambda: ("a" in value, "b" in value),
        "unpacked": lambda: {**value.a},
        "json": lambda: json.dumps(value),
        "text": lambda: (str(value), repr(value)),
        "to_dict": lambda: [type(value.to_dict()[name]).__name__ for name in ("a", "list", "pair")],
        "to_dict inside": lambda: type(value.to_dict()["list"][1]).__name__,
        "set attribute": lambda: setting(value, "x"),
        "set item": lambda: value.__setitem__("x", 1),
        "delete attribute": lambda: delattr(value, "a"),
        "delete item": lambda: deleting(value, "a"),
        "pop": lambda: value.pop("a"),
        "popitem": value.popitem,
        "clear": value.clear,
        "update": lambda: value.a.update(b=2),
        "setdefault": lambda: value.setdefault("x", 1),
        "hash": lambda: hash(value),
        "untouched": lambda: value == VALUE,
    }
    return {name: attempt(action) for name, action in actions.items()}


def about_parsers():
    cases = {
        "requirements_txt_parser": REQUIREMENTS,
        "pyproject_toml_parser": PROJECTS,
        "conda_environment_yml_parser": ENVIRONMENTS,
    }
    return {
        f"{name} {text!r}": attempt(lambda text=text, name=name: getattr(metaflow, name)(text))
        for name, texts in cases.items()
        for text in texts
    }


def about_classes():
    def both():
        return metaflow.Config("c", default="a", default_value="b")

    return {"default and default_value": attempt(both), "name": metaflow.Config("the-name").name}


if __name__ == "__main__":
    print("PROBE " + json.dumps({**about_values(), **about_parsers(), **about_classes()}))
