from metaflow import FlowSpec, Parameter, step


class HelloFlow(FlowSpec):
    """Greets somebody, in three steps."""

    who = Parameter("who", help="Whom to greet", default="world")

    @step
    def start(self):
        """A run begins here; the last line says which step comes next."""
        print("HelloFlow is starting.")
        self.next(self.hello)

    @step
    def hello(self):
        """What is assigned to self is an artifact: it is kept with the run."""
        self.greeting = f"Hello, {self.who}!"
        print(self.greeting)
        self.next(self.end)

    @step
    def end(self):
        """Runs in a process of its own, as every step does: what it knows of `hello` it knows from the artifact."""
        print(f"HelloFlow is done; it said '{self.greeting}'")


if __name__ == "__main__":
    HelloFlow()
