"""Counts the public names of the packages below a folder: `count_names.py FOLDER`."""

import ast
import sys
from pathlib import Path


def public_names(init: Path) -> list[str]:
    """The names in the `__all__` of an `__init__.py`; none if it has none."""
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def main() -> None:
    """Print the number and the names of each package."""
    for init in sorted(Path(sys.argv[1]).glob("*/src/*/__init__.py")):
        names = public_names(init)
        print(f"{init.parent.name} offers {len(names)} names: {', '.join(names)}")


if __name__ == "__main__":
    main()
