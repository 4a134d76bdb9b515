"""A column is as wide as what stands in it asks for, also when that changes."""

from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from app.widgets.column_area import ColumnArea


def test_what_stands_in_it_is_never_cut_off(qtbot):
    content, inner = QWidget(), QWidget()
    QVBoxLayout(content).addWidget(inner)
    inner.setMinimumWidth(150)
    splitter = QSplitter(childrenCollapsible=False)
    area = ColumnArea(content, "area")
    splitter.addWidget(QWidget())
    splitter.addWidget(area)
    qtbot.addWidget(splitter)
    splitter.resize(600, 200)
    splitter.setSizes([590, 10])
    splitter.show()
    for width in (150, 260, 120):
        inner.setMinimumWidth(width)
        qtbot.waitUntil(lambda: area.viewport().width() >= content.minimumSizeHint().width())
        splitter.setSizes([590, 10])
        assert content.minimumSizeHint().width() >= width
        assert area.viewport().width() >= content.minimumSizeHint().width()
