#!/usr/bin/env python3
"""
A terminal's text with its colours as an SVG, for the README.

    tmux capture-pane -e -p -S - | deploy/demo/picture.py > deploy/demo/demo.svg
"""
import html
import re
import sys

CELL_WIDTH, LINE_HEIGHT, MARGIN = 8.43, 19, 16
BACKGROUND, FOREGROUND = "#11151c", "#d7dce4"
COLOURS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea",
           90: "#8b949e", 91: "#ff7b72", 92: "#7ee787", 93: "#e3b341"}


class Style:
    def __init__(self):
        self.clear()

    def clear(self):
        self.colour, self.bold, self.dim = FOREGROUND, False, False

    def apply(self, codes):
        for code in codes:
            if code == 0:
                self.clear()
            elif code == 1:
                self.bold = True
            elif code == 2:
                self.dim = True
            elif code == 22:
                self.bold = self.dim = False
            elif code == 39:
                self.colour = FOREGROUND
            elif code in COLOURS:
                self.colour = COLOURS[code]

    def attributes(self):
        made = f'fill="{self.colour}"'
        if self.bold:
            made += ' font-weight="bold"'
        if self.dim:
            made += ' opacity="0.65"'
        return made


# Dots of a braille character by its bits (Unicode 15, chapter 21.1), as (column, row) of 2 by 4. They are
# drawn, because few fonts have them in the width of a cell.
DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]


def draw_dots(part, column, row, style):
    circles = []
    for offset, character in enumerate(part):
        bits = ord(character) - 0x2800
        if not 0 < bits < 256:
            continue
        for bit, (dot_x, dot_y) in enumerate(DOTS):
            if bits >> bit & 1:
                x = MARGIN + (column + offset + 0.25 + 0.5 * dot_x) * CELL_WIDTH
                y = MARGIN + (row + 0.125 + 0.25 * dot_y) * LINE_HEIGHT
                circles.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5" fill="{style.colour}"/>')
    return "\n".join(circles)


def without_dots(part):
    return re.sub("[\u2800-\u28ff]", " ", part)


def draw_line(line, row, style):
    column, spans = 0, []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if codes:
            style.apply([int(code or 0) for code in codes[1].split(";")])
        elif part:
            spans.append(draw_dots(part, column, row, style))
            # a width for each run keeps columns in line whatever font there is
            spans.append(f'<text x="{MARGIN + column * CELL_WIDTH:.1f}" '
                         f'y="{MARGIN + (row + 1) * LINE_HEIGHT - 5}" {style.attributes()} '
                         f'textLength="{len(part) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs" '
                         f'xml:space="preserve">{html.escape(without_dots(part))}</text>')
            column += len(part)
    return column, "\n".join(filter(None, spans))


def main():
    style = Style()
    lines = sys.stdin.read().rstrip("\n").split("\n")
    drawn = [draw_line(line.rstrip(), row, style) for row, line in enumerate(lines)]
    width = max(columns for columns, _ in drawn) * CELL_WIDTH + 2 * MARGIN
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
          f'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
          f'font-size="14">\n<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>')
    print("\n".join(spans for _, spans in drawn if spans))
    print("</svg>")


if __name__ == "__main__":
    main()
