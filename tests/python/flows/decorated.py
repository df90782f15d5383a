"""What decorators of one's own do around steps."""

from metaflow import USER_SKIP_STEP, FlowSpec, UserStepDecorator, catch, retry, step, user_step_decorator


def note(flow, text):
    flow.notes = [*getattr(flow, "notes", []), text]


@user_step_decorator
def around(step_name, flow, inputs, attributes):
    if inputs is not None:
        note(flow, f"inputs {sorted(each.x for each in inputs)}")
    note(flow, f"before {step_name} {attributes}")
    yield
    note(flow, f"after {step_name}")


@user_step_decorator
def quiet(step_name, flow, inputs):
    try:
        yield
    except ValueError as error:
        note(flow, f"dealt with {error}")


@user_step_decorator
def skipping(step_name, flow, inputs):
    note(flow, f"no {step_name}")
    yield USER_SKIP_STEP


@user_step_decorator
def other_items(step_name, flow, inputs):
    flow.others = [7, 8, 9]
    yield {"foreach": "others"}


@user_step_decorator
def replacing(step_name, flow, inputs):
    def instead(flow):
        note(flow, f"instead of {step_name}")
        flow.next(flow.skipped)

    yield instead


class Timing(UserStepDecorator):
    def init(self, *args, **kwargs):
        self.given = (args, kwargs)

    def pre_step(self, step_name, flow, inputs=None):
        note(flow, f"timing {step_name} {self.given}")

    def post_step(self, step_name, flow, exception=None):
        note(flow, f"timed {step_name}, {exception!r}")
        return exception


class Renaming(UserStepDecorator):
    def post_step(self, step_name, flow, exception=None):
        return KeyError(str(exception)) if exception else None


class Decorated(FlowSpec):
    @Timing(unit="s")
    @around(k=1)
    @step
    def start(self):
        note(self, "body")
        self.next(self.failing)

    @Timing
    @quiet
    @retry(times=1)
    @step
    def failing(self):
        if self.notes:
            raise ValueError("boom")
        self.next(self.caught)

    @catch(var="problem")
    @Renaming
    @Timing
    @step
    def caught(self):
        if self.notes:
            raise ValueError("caught")
        self.next(self.replaced)

    @replacing
    @Timing
    @step
    def replaced(self):
        self.next(self.skipped)

    @skipping
    @around()
    @step
    def skipped(self):
        self.never = True
        self.next(self.split)

    @other_items
    @step
    def split(self):
        self.others = [1]
        self.next(self.item, foreach="others")

    @step
    def item(self):
        self.x = self.input
        self.next(self.join)

    @around()
    @step
    def join(self, inputs):
        self.xs = [each.x for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        print(self.xs)


if __name__ == "__main__":
    Decorated()
