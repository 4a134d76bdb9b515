"""A shape that no model can have is said beside its field, with the nearest that can be, one click away."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.draft import Draft
from app.forms.section_form import SectionForm

SHAPES: dict[str, tuple[dict[str, object], str, object]] = {
    "no heads": ({"num_heads": 0}, "num_heads", 1),
    "width not divisible by heads": ({"d_model": 128, "num_heads": 5}, "num_heads", 4),
    "heads not divisible by key heads": ({"num_heads": 4, "num_kv_heads": 3}, "num_kv_heads", 2),
    "fewer layers than none": ({"num_layers": -1}, "num_layers", 1),
    "odd rotary width": ({"position": "rotary", "head_dim": 31}, "head_dim", 32),
    "no window": ({"attention_window": 0}, "attention_window", 1),
}


@pytest.mark.fault(12)
@pytest.mark.parametrize(("values", "name", "nearest"), SHAPES.values(), ids=SHAPES)
def test_it_is_said_beside_its_field_and_mended_by_a_click(
    qtbot: QtBot, values: dict[str, object], name: str, nearest: object
) -> None:
    draft = Draft()
    form = SectionForm("model", draft)
    qtbot.addWidget(form)
    form.show()
    draft.set_many({f"model.{option}": value for option, value in values.items()})
    assert draft.config is None
    field = form.fields[f"model.{name}"]
    assert field.has_problem
    assert field.isVisible()
    assert form.findChild(QLabel, f"problem_model_{name}").isVisible()
    mend = form.findChild(QPushButton, f"mend_model_{name}")
    assert str(nearest) in mend.text()
    qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
    assert draft.value(f"model.{name}") == nearest
    assert draft.config is not None
    assert not field.has_problem
