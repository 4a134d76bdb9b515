"""A capture as one figure: for each kind of attention a large map with its tokens, beside it every head in small."""

import base64
import unicodedata
from collections.abc import Callable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfmcore.config import UserError
from tfmcore.inference.opened import Encoded
from tfmcore.inspection.capture import Attention, Capture
from tfmcore.inspection.views import Weights, thumbnails, view

MAP_SIZE, SMALLEST_HEAD, LARGEST_HEAD, GAP, MARGIN = 440, 48, 128, 6, 24
LETTER, LETTER_WIDTH = 12, 7.0
MAX_LABELS, MAX_CELLS, MAX_LETTERS = 48, 512, 18
PNG_SCALE = 2
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "segoeui.ttf", "Arial.ttf")
INK, FRAME = "#222222", "#cccccc"
TITLES = {
    "encoder": "Encoder: each token attends to the whole text",
    "decoder": "Decoder: each token attends to itself and those before it",
    "cross": "Cross-attention: each written token attends to the source",
}
ANCHORS = np.array([[255, 255, 255], [190, 217, 240], [92, 155, 213], [29, 89, 161], [10, 37, 84]], float)
VISIBLE = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})


class Label(NamedTuple):
    """Text whose middle line is at y; it begins at x, or ends there, or begins there and climbs."""

    x: float
    y: float
    text: str
    place: str = "after"


class Map(NamedTuple):
    """A framed map of levels (rows, columns) uint8."""

    x: float
    y: float
    width: float
    height: float
    levels: Weights


class Drawing(NamedTuple):
    width: float
    height: float
    shapes: list[Label | Map]


def write_figure(capture: Capture, path: Path) -> None:
    """Write the capture to `path`: .npz holds every number, .svg and .png are figures. Raises UserError."""
    match path.suffix.lower():
        case ".npz":
            capture.export(path)
            return
        case ".svg":
            data = to_svg(draw(capture)).encode()
        case ".png":
            data = to_png(draw(capture))
        case other:
            raise UserError(f"{path}: an attention figure is .svg, .png or .npz, not {other or 'without an ending'}")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def draw(capture: Capture) -> Drawing:
    """One section below the other, a kind of attention each."""
    shapes, width, top = list[Label | Map](), 0.0, float(MARGIN)
    for kind, attention in capture.attentions.items():
        section = _section(TITLES[kind], attention)
        shapes += (shape._replace(x=shape.x + MARGIN, y=shape.y + top) for shape in section.shapes)
        width, top = max(width, section.width), top + section.height + MARGIN
    if capture.notice:
        shapes.append(Label(MARGIN, top, capture.notice))
        top += MARGIN
    return Drawing(width + 2 * MARGIN, top, shapes)


def to_svg(drawing: Drawing) -> str:
    size = f'width="{drawing.width:g}" height="{drawing.height:g}"'
    style = f"font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:{LETTER}px;fill:{INK}"
    shapes = "\n".join(_svg_map(shape) if isinstance(shape, Map) else _svg_label(shape) for shape in drawing.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size} '
        f'viewBox="0 0 {drawing.width:g} {drawing.height:g}">\n<rect {size} fill="white"/>\n'
        f'<g style="{style}">\n{shapes}\n</g>\n</svg>\n'
    )


def to_png(drawing: Drawing) -> bytes:
    """The same drawing in pixels, two for each unit."""
    picture = Image.new("RGB", (round(drawing.width * PNG_SCALE), round(drawing.height * PNG_SCALE)), "white")
    pen, (font, spelled) = ImageDraw.Draw(picture), _font()
    for shape in drawing.shapes:
        x, y = shape.x * PNG_SCALE, shape.y * PNG_SCALE
        if isinstance(shape, Map):
            pixels = _pixels(shape)
            picture.paste(pixels, (round(x), round(y)))
            pen.rectangle((round(x), round(y), round(x) + pixels.width, round(y) + pixels.height), outline=FRAME)
        elif shape.place == "up":
            strip = Image.new("L", (round(font.getlength(spelled(shape.text))) + 2, 2 * LETTER * PNG_SCALE))
            ImageDraw.Draw(strip).text((0, LETTER * PNG_SCALE), spelled(shape.text), 255, font, "lm")
            picture.paste(INK, (round(x) - LETTER * PNG_SCALE, round(y) - strip.width), strip.rotate(90, expand=True))
        else:
            pen.text((x, y), spelled(shape.text), INK, font, "rm" if shape.place == "before" else "lm")
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _font() -> tuple[ImageFont.FreeTypeFont, Callable[[str], str]]:
    """A font of this system, or else Pillow's own, which has only ASCII letters, and how to spell a text with it."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, LETTER * PNG_SCALE), str
        except OSError:
            continue
    builtin = ImageFont.load_default(LETTER * PNG_SCALE)
    assert isinstance(builtin, ImageFont.FreeTypeFont)  # every wheel of Pillow brings FreeType
    return builtin, _in_ascii


def _in_ascii(text: str) -> str:
    """The nearest ASCII letters: á as a, ␣ as _, what has none as ?."""
    plain = unicodedata.normalize("NFKD", text.translate(str.maketrans("␣↵⇥…", "_|>~")))
    return "".join(letter if letter.isascii() else "?" for letter in plain if not unicodedata.combining(letter))


def _section(title: str, attention: Attention) -> Drawing:
    """A large map of the last layer's mean, every head beside it."""
    layers, heads, T, S = attention.weights.shape
    rows, columns = _labels(attention.rows), _labels(attention.columns)
    left, above, cell = _longest(rows) + 10, _longest(columns) + 48, MAP_SIZE / max(T, S)
    mean = view(attention.weights[-1], size=MAX_CELLS).weights[0]
    titles = [
        Label(0, 6, title),
        Label(0, 24, f"large: mean of the {heads} heads of layer {layers}; small: layers (down) and heads (across)"),
    ]
    shapes: list[Label | Map] = [
        *titles,
        Map(left, above, S * cell, T * cell, (mean * (255 / max(float(mean.max()), 1e-9))).round().astype(np.uint8)),
        *(Label(left - 6, above + (at + 0.5) * cell, label, "before") for at, label in rows),
        *(Label(left + (at + 0.5) * cell, above - 6, label, "up") for at, label in columns),
    ]
    size = max(SMALLEST_HEAD, min(LARGEST_HEAD, MAP_SIZE // max(layers, heads) - GAP))
    start, step = left + S * cell + 2 * MARGIN, size + GAP
    for layer, weights in enumerate(attention.weights):
        y = above + layer * step
        shapes.append(Label(start - 6, y + size / 2, str(layer + 1), "before"))
        small = thumbnails(weights, size)
        shapes += (Map(start + head * step, y, size, size, levels) for head, levels in enumerate(small.levels))
    width = max(start + heads * step, max(len(label.text) for label in titles) * LETTER_WIDTH)
    return Drawing(width, above + max(T * cell, layers * step), shapes)


def _labels(tokens: Encoded) -> list[tuple[int, str]]:
    """Every token with its place, or every n-th where there are too many to read."""
    every = -(-len(tokens.tokens) // MAX_LABELS)
    return [(at, _label(token)) for at, token in enumerate(tokens.tokens) if at % every == 0]


def _label(token: str) -> str:
    shown = "".join(letter if letter.isprintable() else "�" for letter in token.translate(VISIBLE))
    return shown if len(shown) <= MAX_LETTERS else shown[: MAX_LETTERS - 1] + "…"


def _longest(labels: Sequence[tuple[int, str]]) -> float:
    return max(len(label) for _, label in labels) * LETTER_WIDTH


def _svg_label(label: Label) -> str:
    turn = " rotate(-90)" if label.place == "up" else ""
    anchor = ' text-anchor="end"' if label.place == "before" else ""
    place = f'transform="translate({label.x:g} {label.y:g}){turn}" y="{LETTER * 0.35:g}"{anchor}'
    return f"<text {place}>{escape(label.text)}</text>"


def _svg_map(map: Map) -> str:
    file = BytesIO()
    _pixels(map).save(file, "PNG", optimize=True)
    place = f'x="{map.x:g}" y="{map.y:g}" width="{map.width:g}" height="{map.height:g}"'
    data = base64.b64encode(file.getvalue()).decode()
    image = f'<image {place} preserveAspectRatio="none" xlink:href="data:image/png;base64,{data}"/>'
    return f'{image}<rect {place} fill="none" stroke="{FRAME}"/>'


def _pixels(map: Map) -> Image.Image:
    """From white for 0 to dark blue for 255; cells have many pixels, since viewers blur what they enlarge."""
    at, anchors = np.linspace(0, 1, 256), np.linspace(0, 1, len(ANCHORS))
    table = np.stack([np.interp(at, anchors, channel) for channel in ANCHORS.T], 1).round().astype(np.uint8)
    picture = Image.fromarray(map.levels)
    picture.putpalette(table.tobytes())
    return picture.resize((round(map.width * PNG_SCALE), round(map.height * PNG_SCALE)), Image.Resampling.NEAREST)
