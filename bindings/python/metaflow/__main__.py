"""The program `metaflow`, which a wheel brings inside of this package: `metaflow …` and `python -m metaflow …`."""

import os
import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Becomes the program, which is no Python; the arguments are those of this process."""
    program = Path(__file__).resolve().parent / "bin" / "metaflow"
    if not program.is_file():
        sys.exit(f"There is no program {program}: this package was not installed from a wheel. ./dev wheel makes one.")
    os.execv(program, [str(program), *sys.argv[1:]])


if __name__ == "__main__":
    main()
