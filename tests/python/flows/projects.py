"""A flow of a project, with decorators that are for deployments."""

from metaflow import FlowSpec, current, project, resources, schedule, step, trigger


@project(name="films_2")
@schedule(daily=True)
@trigger(event="new_films")
class Projects(FlowSpec):
    @resources(cpu=2, memory=512)
    @step
    def start(self):
        self.names = current.project_name, current.branch_name, current.project_flow_name
        self.kinds = current.is_production, current.is_user_branch
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Projects()
