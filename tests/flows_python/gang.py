"""The twin of tests/flows/gang.cpp."""

import os

from metaflow import FlowSpec, Parameter, current, parallel, step


def misbehave():
    mark = current.step_name
    if current.get("is_parallel"):
        mark += f":{current.parallel.node_index}"
    if os.environ.get("FAIL") in (mark, f"{mark}@{current.retry_count}"):
        raise RuntimeError("as asked")


class Gang(FlowSpec):
    nodes = Parameter("nodes", default=3, type=int)

    @step
    def start(self):
        self.base = 7
        self.next(self.train, num_parallel=self.nodes)

    @parallel
    @step
    def train(self):
        own = current.parallel
        self.node = self.base + 10 * own.node_index
        said = f"{own.main_ip} {own.num_nodes} {own.node_index} {own.control_task_id}"
        self.place = (
            said
            + " | "
            + " ".join(
                os.environ[f"MF_PARALLEL_{name}"] for name in ("MAIN_IP", "NUM_NODES", "NODE_INDEX", "CONTROL_TASK_ID")
            )
        )
        print("node", own.node_index, "attempt", current.retry_count)
        misbehave()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [i.node for i in inputs]
        self.places = [i.place for i in inputs]
        self.merge_artifacts(inputs, exclude=["node", "place"])
        misbehave()
        self.next(self.end)

    @step
    def end(self):
        misbehave()


if __name__ == "__main__":
    Gang()
