"""The house rules that a reader would otherwise have to check by eye: sizes, names, boundaries, declared permissions.

Each list of exceptions says why; an entry that is no longer needed fails, so the lists only shrink by being true.
"""

import ast
import re
import statistics
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "src/keystead"

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_P90 = 30
FUNCTION_LINES_MEDIAN = 10

NAMELESS = {"util", "helper", "common", "misc", "manager"}

# Where anything at all may be caught: at the boundaries of requests and loops, or to be passed on to whoever waits.
CATCHES_EVERYTHING = {
    "db/writing.py:_commit_alone": "carries the failure of a unit that has its commit alone to whoever waits for it",
    "db/writing.py:_run_saved": "undoes one unit of a group, and carries its failure to whoever waits for it",
    "http/doors.py:__call__": "the request boundary: logs, and answers 500",
    "keeper/kept.py:_keep": "the loop boundary of supervision: logs, and starts the program again, ever later",
    "kit/loops.py:keep_running": "the loop boundary: logs, and begins the loop again, ever later",
    "reconcile/scope.py:_apply_dirty": "takes marks back when their application was cut, then raises the same again",
}

# Statements stand in a subject's store; below the subjects these modules have one or two of their own.
HAS_STATEMENTS = {
    "access/work.py": "the audit record of a mutation, in its own transaction",
    "reconcile/marks.py": "the generation of a scope, in the verb's own transaction",
}

STATEMENTS = {"select", "insert", "update", "delete"}
READS_THE_ENVIRONMENT = "settings/__init__.py"
CORE = ("vpn", "vault", "access", "reconcile", "engines")
# A kind of token is called after the wire it is for, since people see it in the token's first letters.
MAY_NAME_A_DIALECT = {"access/store/tokens.py"}
DIALECT_NAMES = {"veil", "vpnkeys", "hestia", "userservice"}

# Modules of a subject that hold no verbs although their functions may be given a Work.
NOT_NOUNS = {"__init__", "models", "store", "errors", "values", "desired", "work", "permissions", "principal"}

# Run at start, for the system, before anybody is served; or asked by verbs that declared theirs.
NEEDS_NO_PERMISSION = {
    "access/users.py:found": "asked by the verbs of users and roles",
    "access/signin/invitations.py:join": "asked by whoever accepts an invitation",
    "access/signin/links.py:look_at": "asked by the verbs that links are for",
    "access/signin/links.py:make": "asked by the verbs that links are for",
    "access/signin/links.py:use": "asked by the verbs that links are for",
    "access/signin/secondfactor.py:check": "a part of signing in",
    "access/signin/sessions.py:begin": "a part of signing in",
    "access/signin/sessions.py:end_all": "asked by the verbs that change passwords",
    "access/signin/sessions.py:signed_in": "asked by the verbs about oneself",
    "access/signin/signingkeys.py:current": "a part of signing in",
    "access/reach.py:check": "asked by the verbs about people",
    "access/reach.py:check_whole": "asked by the verbs about people",
    "access/reach.py:check_owner_left": "asked by the verbs about people",
    "access/reach.py:check_room": "asked by the verbs about people",
    "vault/domains.py:add": "a part of taking domains over, and of writing them down",
    "vault/errands.py:put": "a part of connecting a credential",
    "vpn/enforcement.py:advance_key": "asked by the verbs of terms and by the loop's",
    "vpn/terms.py:of_key": "shows what a verb has just made or changed",
    "vpn/keys.py:new_values": "a part of issuing a key, or many",
    "vpn/ports.py:open_port": "a part of issuing a key",
    "vpn/founding.py:settle_public_host": "start",
    "vpn/founding.py:check_shared_inbound": "start",
    "vpn/founding.py:found_shared_inbound": "start",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module we write by hand, parsed, by its path below the package; migrations are generated."""
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text(), str(path))
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.name.startswith("wire_pb2") and path.parent.name != "versions"
    }


def functions() -> Iterator[tuple[str, Function]]:
    for name, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, Function):
                yield f"{name}:{node.lineno} {node.name}", node


def body_lines(function: Function) -> int:
    """Count the lines of a body from its first statement after the docstring; a bare ``...`` is none."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if not body or (len(body) == 1 and is_ellipsis(body[0])):
        return 0
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def is_ellipsis(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and statement.value.value is ...
    )


def found_in(holds: Callable[[ast.AST], bool]) -> set[str]:
    return {name for name, module in modules().items() if any(holds(node) for node in ast.walk(module))}


def test_no_file_is_longer_than_a_story() -> None:
    lengths = {name: len((PACKAGE / name).read_text().splitlines()) for name in modules()}

    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_functions_are_short() -> None:
    lengths = {name: body_lines(function) for name, function in functions()}
    written = sorted(length for length in lengths.values() if length)

    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}
    assert statistics.median(written) <= FUNCTION_LINES_MEDIAN
    assert statistics.quantiles(written, n=10)[-1] <= FUNCTION_LINES_P90


def test_every_file_has_a_name_of_its_own() -> None:
    nameless = [
        name
        for name in modules()
        for part in Path(name).with_suffix("").parts
        if {word.removesuffix("s") for word in part.split("_")} & NAMELESS
    ]

    assert nameless == []


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, module in modules().items() if not ast.get_docstring(module)] == []


def catches_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in caught
    )


def catching(node: ast.AST, place: str = "") -> Iterator[str]:
    """Yield for every handler of everything the function it stands in, the innermost one."""
    if catches_everything(node):
        yield place
    for child in ast.iter_child_nodes(node):
        yield from catching(child, child.name if isinstance(child, Function) else place)


def test_everything_is_caught_at_boundaries_only() -> None:
    found = [f"{name}:{place}" for name, module in modules().items() for place in catching(module)]

    assert sorted(found) == sorted(CATCHES_EVERYTHING)


def reads_the_environment(node: ast.AST) -> bool:
    wanted = {"environ", "environb", "getenv", "getenvb"}
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in wanted
    return (
        isinstance(node, ast.ImportFrom) and node.module == "os" and bool({name.name for name in node.names} & wanted)
    )


def test_only_the_settings_read_the_environment() -> None:
    assert found_in(reads_the_environment) <= {READS_THE_ENVIRONMENT}


def makes_statements(module: ast.Module) -> bool:
    """Tell whether a module calls SQLAlchemy's statement makers, imported by name or reached through the package."""
    local_names = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy"
        for alias in node.names
        if alias.name in STATEMENTS
    }
    calls = [node.func for node in ast.walk(module) if isinstance(node, ast.Call)]
    return any(
        (isinstance(called, ast.Name) and called.id in local_names)
        or (isinstance(called, ast.Attribute) and called.attr in STATEMENTS and is_sqlalchemy(called.value))
        for called in calls
    )


def is_sqlalchemy(node: ast.expr) -> bool:
    """Tell whether an expression is the package under its usual names, or one of our tables (written in capitals)."""
    if isinstance(node, ast.Attribute):
        return node.attr.isupper()
    return isinstance(node, ast.Name) and (node.id in {"sa", "sqlalchemy"} or node.id.isupper())


def test_statements_stand_in_stores() -> None:
    makers = {name for name, module in modules().items() if makes_statements(module)}

    assert {name for name in makers if not is_store(name)} == set(HAS_STATEMENTS)


def is_store(name: str) -> bool:
    """Tell whether a module is a subject's ``store.py`` or stands in its ``store`` package."""
    return Path(name).name == "store.py" or Path(name).parent.name == "store"


def identifiers(node: ast.AST) -> Iterator[str]:
    for attribute in ("id", "attr", "name", "asname", "arg", "module"):
        value = getattr(node, attribute, None)
        if isinstance(value, str):
            yield value


def words(identifier: str) -> set[str]:
    """Split snake_case, CamelCase and dotted names into words: ``VpnKeys`` is not ``vpnkeys``."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", identifier)}


def test_the_core_knows_no_dialect() -> None:
    named = [
        f"{name}:{getattr(node, 'lineno', 0)} {identifier}"
        for name, module in modules().items()
        if name.startswith(CORE) and name not in MAY_NAME_A_DIALECT
        for node in ast.walk(module)
        for identifier in (*identifiers(node), name)
        if words(identifier) & DIALECT_NAMES
    ]

    assert named == []


def test_no_file_names_a_path_of_one_machine() -> None:
    machine_path = re.compile(r"(?<![\w.~/$}-])/(?:work/|root/\.)")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    named = [
        name
        for name in listed.split("\0")
        if name and (PROJECT / name).is_file() and machine_path.search((PROJECT / name).read_text(errors="replace"))
    ]

    assert named == []


def is_verb(function: ast.stmt) -> bool:
    if not isinstance(function, Function) or function.name.startswith("_"):
        return False
    parameters = [*function.args.posonlyargs, *function.args.args]
    if not parameters or parameters[0].arg != "work" or parameters[0].annotation is None:
        return False
    return ast.unparse(parameters[0].annotation).strip("'\"").rpartition(".")[2] == "Work"


def declares_a_permission(function: ast.stmt) -> bool:
    decorators = function.decorator_list if isinstance(function, Function) else []
    return any(
        isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func).rpartition(".")[2] == "requires"
        and bool(decorator.args)
        and ast.unparse(decorator.args[0]).startswith(("Permission.", "permissions.Permission."))
        for decorator in decorators
    )


def test_every_verb_declares_its_permission() -> None:
    undeclared = [
        f"{name}:{function.name}"
        for name, module in modules().items()
        if Path(name).parts[0] in {"vpn", "vault", "access"} and Path(name).stem not in NOT_NOUNS
        for function in module.body
        if is_verb(function) and not declares_a_permission(function)
    ]

    assert set(undeclared) == set(NEEDS_NO_PERMISSION)
