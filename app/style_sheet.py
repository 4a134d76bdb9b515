"""The Qt style sheet: thin borders, one accent, a clear focus ring; every colour comes from the theme's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QDir

from app.colours import mix

if TYPE_CHECKING:
    from app.look import Theme

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"


def style_sheet(theme: Theme) -> str:
    """The application's sheet.

    Buttons take the property `kind`: primary, plain (or none), quiet or small; labels `role`: heading, muted, small,
    error, warning or drop, and `tone`: a colour's name; a card (WA_StyledBackground) `kind`: card; fields `invalid`:
    true.
    """
    QDir.setSearchPaths("icons", [str(ICONS)])  # whose own path no sheet could name: it may have any characters
    return "\n".join((_buttons(theme), _fields(theme), _labels(theme), _containers(theme), _bars(theme)))


def _buttons(t: Theme) -> str:
    return f"""
QPushButton, QToolButton {{
    background: {t.raised}; color: {t.text}; border: 1px solid {t.border}; border-radius: 4px; padding: 4px 12px;
}}
QToolButton {{ padding: 4px; }}
QPushButton:hover, QToolButton:hover {{ background: {t.hover}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {t.border}; }}
QPushButton:checked, QToolButton:checked {{ border-color: {t.accent}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {t.accent}; }}
QPushButton:checked:focus, QToolButton:checked:focus {{ border-color: {t.text}; }}
QPushButton:disabled, QToolButton:disabled {{
    color: {t.disabled}; background: {t.background}; border-color: {t.border};
}}
QPushButton[kind="primary"] {{
    background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; font-weight: 600;
}}
QPushButton[kind="primary"]:hover {{ border-color: {t.text}; }}
QPushButton[kind="primary"]:focus {{ border: 2px solid {t.text}; padding: 3px 11px; }}
QPushButton[kind="primary"]:disabled {{ background: {t.hover}; color: {t.disabled}; border-color: {t.border}; }}
QPushButton[kind="quiet"], QToolButton[kind="quiet"] {{ background: transparent; border-color: transparent; }}
QPushButton[kind="quiet"] {{ padding: 4px 8px; }}
QPushButton[kind="quiet"]:hover, QToolButton[kind="quiet"]:hover {{ background: {t.raised}; }}
QPushButton[kind="quiet"]:checked, QToolButton[kind="quiet"]:checked {{ background: {t.hover}; }}
QPushButton[kind="quiet"]:focus, QToolButton[kind="quiet"]:focus {{ border-color: {t.accent}; }}
QToolButton[kind="glyph"], QToolButton[kind="mark"] {{ background: transparent; border: none; padding: 0; }}
QToolButton[kind="mark"]:hover {{ background: {t.raised}; }}
QPushButton[kind="small"] {{ padding: 1px 6px; }}
QToolButton[kind="legend"], QToolButton[kind="section"] {{
    background: transparent; border-color: transparent; padding: 2px 4px;
}}
QToolButton[kind="section"] {{ text-align: left; padding: 4px 0; }}
QToolButton[kind="section"]:hover {{ background: {t.hover}; }}
QToolButton[kind="section"]:focus {{ border-color: {t.accent}; }}
QToolButton[kind="legend"] {{ color: {t.disabled}; }}
QToolButton[kind="legend"]:checked {{ color: {t.text}; }}
QToolButton[kind="legend"]:hover {{ background: {t.hover}; }}
QToolButton[kind="legend"]:focus {{ border-color: {t.accent}; }}
QToolButton::menu-indicator {{ image: none; }}
"""


def _fields(t: Theme) -> str:
    return f"""
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {{
    background: {t.surface}; color: {t.text}; border: 1px solid {t.border}; border-radius: 4px; padding: 3px 6px;
    placeholder-text-color: {t.muted}; selection-background-color: {t.accent}; selection-color: {t.on_accent};
}}
QLineEdit:hover, QSpinBox:hover, QDoubleSpinBox:hover, QComboBox:hover {{ border-color: {t.disabled}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{
    border-color: {t.accent};
}}
QLineEdit[invalid="true"], QSpinBox[invalid="true"], QDoubleSpinBox[invalid="true"], QComboBox[invalid="true"] {{
    border-color: {t.bad};
}}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled, QPlainTextEdit:disabled {{
    color: {t.disabled}; background: {t.background};
}}
QLineEdit:read-only {{ background: {t.background}; }}
QComboBox {{ padding-right: 20px; }}
QComboBox::drop-down {{ border: none; width: 20px; }}
QComboBox::down-arrow {{ image: url(icons:chevron-down.svg); width: 14px; height: 14px; }}
QComboBox QAbstractItemView {{ background: {t.surface}; border: 1px solid {t.border}; padding: 2px; outline: none; }}
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {{
    border: none; width: 16px; background: transparent;
}}
QSpinBox::up-button:hover, QDoubleSpinBox::up-button:hover,
QSpinBox::down-button:hover, QDoubleSpinBox::down-button:hover {{ background: {t.hover}; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url(icons:chevron-down.svg); width: 10px; height: 10px; }}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{
    image: url(icons:chevron-up.svg); width: 10px; height: 10px;
}}
QCheckBox, QRadioButton {{ spacing: 8px; border: 1px solid transparent; border-radius: 3px; }}
QCheckBox:focus, QRadioButton:focus {{ border-color: {t.accent}; }}
QCheckBox:disabled, QRadioButton:disabled {{ color: {t.disabled}; }}
QCheckBox::indicator, QRadioButton::indicator, QGroupBox::indicator {{
    width: 14px; height: 14px; border: 1px solid {t.disabled}; border-radius: 3px; background: {t.surface};
}}
QRadioButton::indicator {{ border-radius: 8px; }}
QCheckBox::indicator:hover, QRadioButton::indicator:hover {{ border-color: {t.accent}; }}
QCheckBox::indicator:checked {{
    background: {t.accent}; border-color: {t.accent}; image: url(icons:check-{t.name}.svg);
}}
QCheckBox::indicator:disabled {{ background: {t.background}; border-color: {t.border}; }}
QCheckBox::indicator:checked:disabled {{ background: {t.disabled}; }}
QRadioButton::indicator:checked {{ border: 5px solid {t.accent}; width: 6px; height: 6px; background: {t.on_accent}; }}
"""


def _labels(t: Theme) -> str:
    return f"""
QLabel {{ background: transparent; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="muted"] {{ color: {t.muted}; }}
QLabel[role="small"] {{ color: {t.muted}; font-size: 11px; }}
QLabel[role="error"] {{ color: {t.bad}; font-size: 11px; }}
QLabel[role="warning"] {{ color: {t.warning}; font-size: 11px; }}
QLabel[role="drop"] {{ color: {t.muted}; border: 1px dashed {t.disabled}; border-radius: 6px; padding: 12px; }}
QLabel[tone="muted"] {{ color: {t.muted}; }}
QLabel[tone="training"] {{ color: {t.training}; }}
QLabel[tone="good"] {{ color: {t.good}; }}
QLabel[tone="warning"] {{ color: {t.warning}; }}
QLabel[tone="bad"] {{ color: {t.bad}; }}
QLabel:disabled {{ color: {t.disabled}; }}
QToolTip {{
    background: {t.raised}; color: {t.text}; border: 1px solid {t.border}; padding: 4px 6px;
}}
"""


def _containers(t: Theme) -> str:
    return f"""
QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
QScrollArea:focus {{ border: 1px solid {t.accent}; }}
QWidget[kind="card"] {{ background: {t.surface}; border: 1px solid {t.border}; border-radius: 6px; }}
QWidget[kind="chip"] {{ background: {t.raised}; border-radius: 4px; }}
QWidget[kind="chip"] QAbstractButton:hover {{ background: {t.hover}; }}
QTreeView::item {{ padding: 3px 4px; }}
QSplitter::handle {{ background: {t.border}; }}
QSplitter::handle:horizontal {{ width: 1px; }}
QSplitter::handle:vertical {{ height: 1px; }}
QSplitter::handle:hover {{ background: {t.accent}; }}
QAbstractItemView {{
    background: {t.surface}; alternate-background-color: {t.background}; border: 1px solid {t.border};
    gridline-color: {t.border}; selection-background-color: {t.hover}; selection-color: {t.text}; outline: none;
}}
QAbstractItemView:focus {{ border-color: {t.accent}; }}
QTableView::item {{ padding: 0 5px; }}
QAbstractItemView::item:hover {{ background: {t.raised}; }}
QAbstractItemView::item:selected {{ background: {t.hover}; color: {t.text}; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QHeaderView {{ background: {t.surface}; border: none; }}
QHeaderView::section {{
    background: {t.surface}; color: {t.muted}; border: none; border-bottom: 1px solid {t.border}; padding: 4px 8px;
    font-weight: normal;
}}
QTableCornerButton::section {{ background: {t.surface}; border: none; }}
QMenu {{ background: {t.surface}; border: 1px solid {t.border}; padding: 4px; }}
QMenu::item {{ padding: 4px 24px 4px 12px; border-radius: 3px; }}
QMenu::item:selected {{ background: {t.hover}; }}
QMenu::item:disabled {{ color: {t.disabled}; }}
QMenu::separator {{ height: 1px; background: {t.border}; margin: 4px 8px; }}
QTabBar {{ qproperty-drawBase: 0; }}
QTabBar::tab {{ color: {t.muted}; padding: 6px 12px; border-bottom: 2px solid transparent; }}
QTabBar::tab:hover {{ color: {t.text}; }}
QTabBar::tab:selected {{ color: {t.text}; border-bottom-color: {t.accent}; }}
QTabBar::tab:focus {{ background: {t.hover}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {t.border}; }}
QStatusBar {{ background: {t.surface}; border-top: 1px solid {t.border}; }}
QStatusBar QLabel {{ color: {t.muted}; font-size: 11px; padding: 2px 8px; }}
QStatusBar::item {{ border: none; }}
QWidget#rail {{ background: {t.surface}; border-right: 1px solid {t.border}; }}
QWidget#rail QToolButton {{
    background: transparent; border: none; border-left: 3px solid transparent; border-radius: 0; color: {t.muted};
}}
QWidget#rail QToolButton:hover {{ background: {t.raised}; color: {t.text}; }}
QWidget#rail QToolButton:checked {{
    background: {t.hover}; border-left-color: {t.accent}; color: {t.text}; font-weight: 600;
}}
QWidget#rail QToolButton:focus {{ border-left-color: {t.text}; }}
QWidget#header {{ background: {t.surface}; border-bottom: 1px solid {t.border}; }}
QTableView#recent_runs {{ border: 1px solid {t.border}; border-radius: 6px; }}
QTableView#recent_runs:focus {{ border-color: {t.accent}; }}
"""


def _bars(t: Theme) -> str:
    return f"""
QScrollBar {{ background: transparent; border: none; margin: 0; }}
QScrollBar:vertical {{ width: 10px; }}
QScrollBar:horizontal {{ height: 10px; }}
QScrollBar::handle {{ background: {t.border}; border-radius: 3px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 24px; }}
QScrollBar::handle:horizontal {{ min-width: 24px; }}
QScrollBar::handle:hover {{ background: {t.disabled}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QProgressBar {{
    background: {t.raised}; color: {t.text}; border: none; border-radius: 3px; min-height: 6px; text-align: center;
}}
QProgressBar::chunk {{ background: {mix(t.raised, t.accent, 0.45).name()}; border-radius: 3px; }}
QSlider::groove:horizontal {{ height: 4px; background: {t.border}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {t.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    background: {t.surface}; border: 1px solid {t.disabled}; width: 12px; margin: -5px 0; border-radius: 7px;
}}
QSlider::handle:horizontal:hover {{ border-color: {t.accent}; }}
QSlider::handle:horizontal:focus {{ border-color: {t.text}; background: {t.accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {t.disabled}; }}
"""
