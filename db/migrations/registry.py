"""The list of migrations, and how one runs a script of statements."""

from sqlite_utils.migrations import Migrations

migrations = Migrations("workbench")


def statements(script: str) -> list[str]:
    """Split a script at the semicolons that end a statement (a trigger's inner ones don't end a line with 'end;').

    ``executescript`` would commit, and a migration must be able to roll back.
    """
    parts, current = [], ""
    for line in script.splitlines():
        code = line.split("  --")[0].rstrip()
        current += code + "\n"
        in_trigger = "create trigger" in current
        if code.endswith("end;") or (code.endswith(";") and not in_trigger):
            parts.append(current.strip().rstrip(";") + (";" if in_trigger else ""))
            current = ""
    return parts
