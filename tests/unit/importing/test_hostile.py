"""Whatever stands in a file, a reader either refuses it in words or lists everybody in it."""

import copy
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.importing import marzban, pasarguard, printing, remnawave, veilv2ray, veilxray, xui
from keystead.importing.found import Found
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing
from keystead.kit.errors import Invalid
from tests.support.panels import marzban as marzban_panel
from tests.support.panels import parts
from tests.support.panels import pasarguard as pasarguard_panel
from tests.support.panels import remnawave as remnawave_panel
from tests.support.panels import veilv2ray as veilv2ray_panel
from tests.support.panels import veilxray as veilxray_panel
from tests.support.panels import xui as xui_panel
from tests.support.panels.parts import NOW

JUNK = st.sampled_from(
    [None, True, 0, -1, 2**63, 10**30, 1.5, "", "x", "\x00", "9" * 40, "2026-99-99", [], [None], {}, {"id": []}, [[]]]
)
FUZZ = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where something stands in a JSON value."""
    children: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(place for key, child in children for place in places(child, (*path, key)))][:4000]


def spoiled(draw: Callable[[st.SearchStrategy[Any]], Any], value: Any) -> Any:
    """Return a JSON value with junk in one to three places, never at the top."""
    made = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([place for place in places(made) if place]))
        inside = made
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = copy.deepcopy(draw(JUNK))
    return made


def judged(read: Callable[[], Found], least: int) -> None:
    """Read, plan and print; everybody is listed, or the file is refused."""
    try:
        found = read()
    except Invalid:
        return
    made = plan(found, Existing(), now=NOW)
    assert made.counts["customers"] == len(found.customers) >= least
    assert printing.as_text(made)
    assert json.dumps(printing.as_json(made))


def file(draw: Callable[[st.SearchStrategy[Any]], Any], path: Path) -> Path:
    """Spoil a file of JSON."""
    return parts.write_json(path, spoiled(draw, json.loads(path.read_text())))


@FUZZ
@given(st.data())
def test_an_export_of_marzban(tmp_path: Path, data: st.DataObject) -> None:
    users, config = marzban_panel.shop().write_export(tmp_path)
    chosen = data.draw(st.sampled_from([users, config]))
    file(data.draw, chosen)

    judged(lambda: marzban.read_export(users, config, now=NOW), 10)


@FUZZ
@given(st.data())
def test_an_export_of_pasarguard(tmp_path: Path, data: st.DataObject) -> None:
    files = pasarguard_panel.shop().write_export(tmp_path)
    file(data.draw, data.draw(st.sampled_from(files)))

    judged(lambda: pasarguard.read_export(*files, now=NOW), 10)


@FUZZ
@given(st.data())
def test_an_export_of_remnawave(tmp_path: Path, data: st.DataObject) -> None:
    files = remnawave_panel.shop().write(tmp_path)
    file(data.draw, data.draw(st.sampled_from(files)))

    judged(lambda: remnawave.read(*files, now=NOW), 9)


@FUZZ
@given(st.data())
def test_the_files_of_veil_v2ray(tmp_path: Path, data: st.DataObject) -> None:
    keys, config, history = veilv2ray_panel.shop().write_files(tmp_path)
    file(data.draw, data.draw(st.sampled_from([keys, config, history])))

    judged(lambda: veilv2ray.read(keys, config, history=history, now=NOW), 5)


@FUZZ
@given(st.data())
def test_the_settings_of_inbounds_in_3x_ui(tmp_path: Path, data: st.DataObject) -> None:
    panel = xui_panel.shop()
    inbound = data.draw(st.sampled_from(panel.inbounds))
    column = data.draw(st.sampled_from(["settings", "stream_settings"]))
    inbound[column] = spoiled(data.draw, inbound[column])
    (tmp_path / "x-ui.db").unlink(missing_ok=True)

    judged(lambda: xui.read(panel.write(tmp_path / "x-ui.db"), now=NOW), 9)


DATABASES: dict[str, Callable[[Path], tuple[Path, Callable[[], Found]]]] = {}


def database(name: str) -> Callable[[Callable[[Path], tuple[Path, Callable[[], Found]]]], None]:
    def keep(write: Callable[[Path], tuple[Path, Callable[[], Found]]]) -> None:
        DATABASES[name] = write

    return keep


@database("3x-ui")
def _(place: Path) -> tuple[Path, Callable[[], Found]]:
    path = xui_panel.shop().write(place / "x-ui.db")
    return path, lambda: xui.read(path, now=NOW)


@database("marzban")
def _(place: Path) -> tuple[Path, Callable[[], Found]]:
    path, config = marzban_panel.shop().write(place)
    return path, lambda: marzban.read(path, config, now=NOW)


@database("pasarguard")
def _(place: Path) -> tuple[Path, Callable[[], Found]]:
    path = pasarguard_panel.shop().write(place)
    return path, lambda: pasarguard.read(path, now=NOW)


@database("veil-v2ray")
def _(place: Path) -> tuple[Path, Callable[[], Found]]:
    path, config = veilv2ray_panel.shop().write(place)
    return path, lambda: veilv2ray.read(path, config, now=NOW)


@database("veil-xray")
def _(place: Path) -> tuple[Path, Callable[[], Found]]:
    path, config = veilxray_panel.shop().write(place)
    return path, lambda: veilxray.read(path, config, now=NOW)


@pytest.mark.parametrize("name", DATABASES)
@FUZZ
@given(data=st.data())
def test_the_cells_of_a_database(name: str, tmp_path: Path, data: st.DataObject) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    path, read = DATABASES[name](tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        tables = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL"
        ).fetchall()
        table = data.draw(st.sampled_from([table for table, _ in tables if not table.startswith("sqlite_")]))
        columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table,))]
        column = data.draw(st.sampled_from(columns))
        cell = data.draw(st.sampled_from([None, 0, -1, 2**62, 1.5, "", "x", "[]", "{", '{"a": 1}', b"\xff\x00"]))
        ids = [row[0] for row in connection.execute(f'SELECT rowid FROM "{table}"')]
        row = data.draw(st.sampled_from(ids)) if ids else 0
        with suppress(sqlite3.IntegrityError):  # a primary key takes no junk
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (cell, row))

    judged(read, 1)
