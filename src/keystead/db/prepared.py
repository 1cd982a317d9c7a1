"""Statements of the hot paths: built with SQLAlchemy, compiled once, run on the driver's own cursor.

SQLAlchemy takes about a tenth of a millisecond to run a statement it has compiled before; SQLite takes a hundredth to
answer it. The handful that every request runs goes this way; all others are run as SQLAlchemy runs them. SQL, types and
errors are the same. Used by stores; a statement whose SQL depends on its values (``IN`` of a list) is not for here.
"""

from collections.abc import Callable, Iterable, Mapping
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

    def run_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run for the effect with many sets of values of the same names, in one go."""
        sets = list(rows)
        if sets:
            compiled = self._for(connection, sets[0])
            parameters = [compiled.parameters(values) for values in sets]
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
    """SQL for one kind of database, and how values go in and come out."""

    sql: str
    is_positional: bool
    inputs: tuple["_Input", ...]
    outputs: tuple[tuple[int, _Convert], ...]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return values as the driver takes them."""
        if self.is_positional:
            return [one.value(values) for one in self.inputs]
        return {one.name: one.value(values) for one in self.inputs}

    def converted(self, rows: list[Row]) -> list[Row]:
        """Return rows with the values their types promise."""
        if not self.outputs:
            return rows
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for position, convert in self.outputs if rows else ():
            columns[position] = map(convert, columns[position])
        return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class _Input:
    """One parameter: given by the caller, or a constant of the statement."""

    name: str
    is_given: bool
    constant: Any
    convert: _Convert | None

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return the value as the driver takes it."""
        value = values[self.name] if self.is_given else self.constant
        return self.convert(value) if self.convert else value


def _compile(statement: Executable, dialect: Dialect, names: list[str]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]  # every ClauseElement
    if not isinstance(compiled, SQLCompiler) or compiled.post_compile_params:
        raise Broken(f"this statement cannot be prepared: {statement}")
    order = compiled.positiontup if compiled.positional else compiled.params
    return _Compiled(
        compiled.string,
        compiled.positional,
        tuple(_input(compiled, dialect, name, is_given=name in names) for name in order or ()),
        tuple(_outputs(compiled, dialect)),
    )


def _input(compiled: SQLCompiler, dialect: Dialect, name: str, *, is_given: bool) -> _Input:
    bind = compiled.binds[name]
    if bind.required and not is_given:
        raise Broken(f"a prepared statement lacks its value {name}: {compiled.string}")
    return _Input(name, is_given, bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect))


def _outputs(compiled: SQLCompiler, dialect: Dialect) -> Iterable[tuple[int, _Convert]]:
    for position, column in enumerate(compiled._result_columns):
        convert = column.type.dialect_impl(dialect).result_processor(dialect, None)
        if convert is not None:
            yield position, convert


def _raised(connection: Connection, sql: str, error: BaseException) -> BaseException:
    """Return what SQLAlchemy raises for a driver's error, so that ``session.translated`` tells them apart for all."""
    dialect = connection.dialect
    return DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)
