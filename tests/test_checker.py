"""The checker at run time: graphs and parameters that a binding may put together, refused before anything runs."""

import pytest

MISTAKES = [
    ("reserved_parameter", ["tag"]),
    ("twins", ["Alpha"]),
    ("foreach_into_join", ["start", "join"]),
    ("cycle", ["a->b->a"]),
    ("unreachable", ["alone"]),
    ("unknown_target", ["start", "jion"]),
    ("unjoined", ["end"]),
    ("bad_name", ["Bad-Name"]),
]


@pytest.mark.parametrize(("mistake", "words"), MISTAKES)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_broken_flow_is_refused_before_any_task(project, command, mistake, words):
    refused = project.run_flow("assembled", command, ASSEMBLED=mistake).failed()
    for word in words:
        assert word in refused.stderr
    assert refused.stdout == ""
    assert not (project.root() / "Assembled").exists()


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_flow_put_together_at_run_time_runs(project, isolation):
    project.run_flow("assembled", "run", "--alpha", "x", "--isolation", isolation).succeeded()
    assert project.official("data = Flow('Assembled').latest_run.data; result = [data.answer, data.alpha]") == [42, "x"]
