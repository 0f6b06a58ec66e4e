"""redshift_sql.py FILE: is every statement in it Redshift's to parsers that are not ours?

The file is a JSON list of statements. sqlglot has to understand each (and not merely carry it along as an
unknown command, but for the few that it carries always), sqlfluff has to parse all of it; alone, since an error
would swallow what follows. Prints how many statements were judged.
"""

import json
import multiprocessing
import re
import sys

import sqlfluff.core
import sqlglot
import sqlglot.expressions as exp

# What sqlglot hands on unread.
CARRIED = ("LOCK", "GRANT", "COMMENT")
# Redshift takes it, sqlfluff does not know it.
UNKNOWN_TO_SQLFLUFF = re.compile(r" SERIALIZETOJSON\b")


def judge(statement):
    try:
        parsed = sqlglot.parse(statement, read="redshift")
    except sqlglot.errors.SqlglotError as error:
        return f"sqlglot: {error}\n{statement}"
    if len(parsed) != 1:
        return f"sqlglot: {len(parsed)} statements\n{statement}"
    if isinstance(parsed[0], exp.Command) and not statement.startswith(CARRIED):
        return f"sqlglot does not understand\n{statement}"
    linter = sqlfluff.core.Linter(dialect="redshift")
    found = linter.parse_string(UNKNOWN_TO_SQLFLUFF.sub("", statement) + ";\n").violations
    if found:
        return f"sqlfluff: {[str(violation) for violation in found]}\n{statement}"
    return None


def main(path):
    with open(path, encoding="utf-8") as file:
        statements = sorted(set(json.load(file)))
    with multiprocessing.Pool() as pool:
        wrong = [verdict for verdict in pool.imap_unordered(judge, statements, chunksize=4) if verdict]
    if wrong:
        sys.exit("\n\n".join(wrong))
    print(len(statements))


if __name__ == "__main__":
    main(*sys.argv[1:])
