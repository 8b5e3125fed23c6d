"""Counts the lines of the Python files in some folders: `count_lines.py FOLDER...`."""

import sys
from pathlib import Path


def main() -> None:
    """Print one line per folder and package, and their sum."""
    total = 0
    for top in map(Path, sys.argv[1:]):
        for folder in sorted(path for path in top.iterdir() if path.is_dir()):
            files = [path for path in folder.rglob("*.py") if "__pycache__" not in path.parts]
            lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
            if files:
                print(f"{folder}: {lines} lines in {len(files)} files")
            total += lines
    print(f"{total} lines of Python")


if __name__ == "__main__":
    main()
