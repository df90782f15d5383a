"""Opens the latest run of the flow Wide and reads one number of each task of its step `body`."""

from metaflow import Flow

numbers = [task["number"].data for task in Flow("Wide").latest_run["body"]]
print(f"{len(numbers)} tasks, total {sum(numbers)}")
