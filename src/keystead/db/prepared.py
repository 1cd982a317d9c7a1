"""Statements of the hot paths: built with SQLAlchemy, compiled once, run on the driver's own cursor.

SQLAlchemy takes about a tenth of a millisecond to run a statement it has compiled before; SQLite takes a hundredth to
answer it. The handful that every request runs goes this way; all others are run as SQLAlchemy runs them. SQL, types and
errors are the same. Used by stores; a statement whose SQL depends on its values (``IN`` of a list) is not for here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from keystead.kit.errors import Broken

Row = tuple[Any, ...]
_Convert = Callable[[Any], Any]


class Prepared:
    """A statement that is compiled for each kind of database when it is first run there."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[Row]:
        """Run and return all rows."""
        compiled = self._for(connection, values)
        return compiled.converted(execute(connection, compiled.sql, compiled.parameters(values)).fetchall())

    def parts(self, connection: Connection, values: Mapping[str, Any], size: int) -> Iterator[list[Row]]:
        """Run once and yield all rows, so many at a time: nobody has to hold all of them at once."""
        compiled = self._for(connection, values)
        cursor = execute(connection, compiled.sql, compiled.parameters(values))
        while part := cursor.fetchmany(size):
            yield compiled.converted(part)

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Row | None:
        """Run and return the only row there can be, or None."""
        found = self.rows(connection, values)
        return found[0] if found else None

    def scalar(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Run and return the first column of the only row there can be, or None."""
        found = self.rows(connection, values)
        return found[0][0] if found else None

    def run(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Run for the effect."""
        compiled = self._for(connection, values)
        execute(connection, compiled.sql, compiled.parameters(values))

    def run_many(self, connection: Connection, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Run for the effect with many rows of values, whose order is that of ``names``, in one go."""
        if rows:
            compiled = self._for(connection, dict.fromkeys(names))
            parameters = compiled.many_parameters(names, rows)
            cursor = connection.connection.cursor()
            try:
                cursor.executemany(compiled.sql, parameters)
            except connection.dialect.loaded_dbapi.Error as error:
                raise _raised(connection, compiled.sql, error) from error
            finally:
                cursor.close()

    def _for(self, connection: Connection, values: Mapping[str, Any]) -> "_Compiled":
        key = (connection.dialect.name, *values)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _compile(self._statement, connection.dialect, list(values))
        return found


def execute(connection: Connection, sql: str, parameters: Any = ()) -> Any:
    """Run SQL on the driver's connection and return its cursor; raise what SQLAlchemy would raise."""
    driver: Any = connection.connection.dbapi_connection
    try:
        return driver.execute(sql, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, sql, error) from error


@dataclass(frozen=True)
class _Compiled:
    """SQL for one kind of database, and how values go in and come out.

    ``constants`` are the statement's own values by name; ``inputs`` and ``outputs`` say what to convert, by position.
    """

    sql: str
    names: tuple[str, ...]
    is_positional: bool
    constants: Mapping[str, Any]
    inputs: tuple[tuple[int, _Convert], ...]
    outputs: tuple[tuple[int, _Convert], ...]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return values as the driver takes them."""
        given = {**self.constants, **values} if self.constants else values
        made = [given[name] for name in self.names]
        for position, convert in self.inputs:
            made[position] = convert(made[position])
        return made if self.is_positional else dict(zip(self.names, made, strict=True))

    def many_parameters(self, names: Sequence[str], rows: Sequence[Row]) -> list[Any]:
        """Return rows of values as the driver takes them: by column, which costs a fraction of row by row."""
        given = dict(zip(names, zip(*rows, strict=True), strict=True))
        columns: list[Iterable[Any]] = [given.get(name) or [self.constants[name]] * len(rows) for name in self.names]
        for position, convert in self.inputs:
            columns[position] = map(convert, columns[position])
        made = list(zip(*columns, strict=True))
        return made if self.is_positional else [dict(zip(self.names, row, strict=True)) for row in made]

    def converted(self, rows: list[Row]) -> list[Row]:
        """Return rows with the values their types promise."""
        if not self.outputs:
            return rows
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for position, convert in self.outputs if rows else ():
            columns[position] = map(convert, columns[position])
        return list(zip(*columns, strict=True))


def _compile(statement: Executable, dialect: Dialect, given: list[str]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=given)  # type: ignore[attr-defined]  # every ClauseElement
    if not isinstance(compiled, SQLCompiler) or compiled.post_compile_params:
        raise Broken(f"this statement cannot be prepared: {statement}")
    names = tuple((compiled.positiontup if compiled.positional else compiled.params) or ())
    lacking = [name for name in names if compiled.binds[name].required and name not in given]
    if lacking:
        raise Broken(f"a prepared statement lacks its value {lacking[0]}: {compiled.string}")
    constants = {name: compiled.binds[name].effective_value for name in names if name not in given}
    inputs = tuple(_inputs(compiled, dialect, names))
    return _Compiled(compiled.string, names, compiled.positional, constants, inputs, tuple(_outputs(compiled, dialect)))


def _inputs(compiled: SQLCompiler, dialect: Dialect, names: Iterable[str]) -> Iterable[tuple[int, _Convert]]:
    for position, name in enumerate(names):
        convert = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            yield position, convert


def _outputs(compiled: SQLCompiler, dialect: Dialect) -> Iterable[tuple[int, _Convert]]:
    for position, column in enumerate(compiled._result_columns):
        convert = column.type.dialect_impl(dialect).result_processor(dialect, None)
        if convert is not None:
            yield position, convert


def _raised(connection: Connection, sql: str, error: BaseException) -> BaseException:
    """Return what SQLAlchemy raises for a driver's error, so that ``session.translated`` tells them apart for all."""
    dialect = connection.dialect
    return DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)
