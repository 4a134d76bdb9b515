"""Figures of a capture: SVG that parses, PNG of the same size, every token of a short text on them."""

from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageFont

from tfmcore.config import UserError
from tfmcore.inference.opened import open_model
from tfmcore.inspection import figures
from tfmcore.inspection.capture import capture
from tfmcore.inspection.figures import PNG_SCALE, draw, to_png, to_svg, write_figure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=["decoder", "classifier", "translator"])
def found(request, model_folder):
    return capture(open_model(model_folder(request.param)), "A <dog> & a fox\n", "fűrész")


def test_the_svg_names_every_token_and_shows_every_head(found):
    root = ElementTree.fromstring(to_svg(draw(found)))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    images = list(root.iter(f"{SVG}image"))
    for attention in found.attentions.values():
        for token in attention.rows.tokens:
            assert token.replace(" ", "␣").replace("\n", "↵") in texts
    heads = [attention.weights.shape[0] * attention.weights.shape[1] for attention in found.attentions.values()]
    assert len(images) == sum(heads) + len(heads)


@pytest.mark.parametrize("fonts", [figures.FONTS, ()])
def test_the_png_is_the_same_drawing(found, monkeypatch, fonts):
    monkeypatch.setattr(figures, "FONTS", fonts)
    drawing = draw(found)
    picture = Image.open(BytesIO(to_png(drawing)))
    assert picture.size == (round(drawing.width * PNG_SCALE), round(drawing.height * PNG_SCALE))
    large = next(shape for shape in drawing.shapes if isinstance(shape, figures.Map))
    x, y = (round((start + 0.5) * PNG_SCALE) for start in (large.x, large.y))
    assert (picture.getpixel((x + 4, y + 4)) == (255, 255, 255)) == (large.levels[0, 0] == 0)


def test_a_font_of_ascii_spells_what_it_can(monkeypatch):
    monkeypatch.setattr(figures, "FONTS", ())
    font, spelled = figures._font()
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert spelled("árvíztűrő␣日") == "arvizturo_?"


def test_every_ending_is_written_or_refused(found, tmp_path):
    for name in ("a.svg", "a.PNG", "a.npz"):
        write_figure(found, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    with np.load(tmp_path / "a.npz") as file:
        assert file.files
    for name in ("a.pdf", "a", "missing/a.svg"):
        with pytest.raises(UserError):
            write_figure(found, tmp_path / name)


def test_a_long_text_has_fewer_labels(model_folder):
    found = capture(open_model(model_folder("decoder", context_length=600)), "The dog " * 75)
    shapes = draw(found).shapes
    assert len([shape for shape in shapes if isinstance(shape, figures.Label)]) < 2 * figures.MAX_LABELS + 10
    assert max(shape.levels.shape[0] for shape in shapes if isinstance(shape, figures.Map)) <= figures.MAX_CELLS
