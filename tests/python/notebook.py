"""A notebook: executes the cells of a JSON file in a Jupyter kernel, and interrupts each when it prints `begun`. Prints of each cell,
as one JSON list, its status, the name of its error, and what it printed. `python notebook.py CELLS`."""

import json
import sys
from pathlib import Path

from jupyter_client import KernelManager

DEADLINE = 100


def execute(manager, client, cell):
    printed = ""

    def look(message):
        nonlocal printed
        if message["msg_type"] == "stream":
            begun = "begun" in printed
            printed += message["content"]["text"]
            if "begun" in printed and not begun:
                manager.interrupt_kernel()

    reply = client.execute_interactive(cell, timeout=DEADLINE, output_hook=look)["content"]
    return [reply["status"], reply.get("ename"), printed]


def main():
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=DEADLINE)
        cells = json.loads(Path(sys.argv[1]).read_text())
        print("CELLS " + json.dumps([execute(manager, client, cell) for cell in cells]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
