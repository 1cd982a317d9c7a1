import pytest

from keystead.kit import cells


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x"])
def test_what_a_spreadsheet_would_calculate_is_text_and_comes_back(text: str) -> None:
    [row] = cells.rows(cells.line(["name"]) + cells.line([text]), ("name",))

    assert cells.safe(text) == f"'{text}"
    assert row == {"name": text}


@pytest.mark.parametrize("text", ["", "example.com", "'quoted'", "a=b", "it's", 'with "quotes", and commas\nand lines'])
def test_other_texts_are_as_they_are(text: str) -> None:
    assert cells.rows(cells.line(["name", "note"]) + cells.line(["x", text]), ("name", "note")) == [
        {"name": "x", "note": text}
    ]


def test_a_table_without_its_first_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no column name"):
        cells.rows("note\nx\n", ("name", "note"))
