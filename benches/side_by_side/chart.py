"""The plot: time against lines, both logarithmic, as SVG with a background of its own."""

import math

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 76, 690, 64, 452
#: Colour and dashes. subidctl's commands have whole lines, the others broken ones.
STYLES = {
    "subidctl plan": ("#0b6bcb", ""),
    "subidctl audit": ("#7a3fb5", ""),
    "subidctl apply": ("#0a7d45", ""),
    "getsubids": ("#b35900", "2 4"),
    "usermod": ("#c2185b", "7 4"),
    "useradd": ("#5f6670", "7 4 2 4"),
}
#: What two labels beside each other need.
LINE = 17


def svg(curves: dict) -> str:
    """The picture. `curves`: of each command its points, lines and seconds."""
    seconds = [point[1] for points in curves.values() for point in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    sizes = [point[0] for points in curves.values() for point in points]
    first, last = math.log10(min(sizes)), math.log10(max(sizes))

    def place(point: list) -> tuple:
        across = (math.log10(point[0]) - first) / max(last - first, 1)
        up = (math.log10(point[1]) - low) / max(high - low, 1)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)

    short = any(points and points[-1][0] < max(sizes) for points in curves.values())
    parts = [head(short), *grid(place, low, high, round(first), round(last))]
    placed = {name: [place(point) for point in points] for name, points in curves.items() if points}
    parts += [line(name, points) for name, points in placed.items()]
    parts += labels(placed)
    return "\n".join([*parts, "</svg>", ""])


def head(short: bool) -> str:
    """Size, background, title; `short`: whether a line ends before the last size."""
    words = "both axes logarithmic; of at most 10,000 owners, in no order of IDs"
    words += "; a line ends where one run takes more than 20 s" if short else ""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} \
font-family="system-ui, sans-serif" font-size="13" fill="#24292f" role="img">
<title>Time of plan, audit and apply against the lines in each file, beside useradd, usermod and getsubids</title>
<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>
<text x="{LEFT}" y="28" font-size="16" font-weight="600">Time against lines in /etc/subuid and in /etc/subgid</text>
<text x="{LEFT}" y="47" fill="#57606a">{words}</text>"""


def grid(place, low: int, high: int, first: int, last: int) -> list:
    """Axes with a line for each power of ten."""
    parts = []
    for power in range(low, high + 1):
        y = place([10**first, 10.0**power])[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="#d8dee4"/>')
        parts.append(text(LEFT - 10, y + 4.5, "end", duration(power)))
    for power in range(first, last + 1):
        x = place([10**power, 10.0**low])[0]
        parts.append(f'<path d="M{x:.1f} {TOP}V{BOTTOM}" stroke="#eaeef2"/>')
        parts.append(text(x, BOTTOM + 22, "middle", f"{10**power:,}"))
    return [*parts, text((LEFT + RIGHT) / 2, BOTTOM + 46, "middle", "lines in each file")]


def text(x: float, y: float, anchor: str, words: str) -> str:
    """A word at an axis."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#57606a">{words}</text>'


def duration(power: int) -> str:
    """10 to this power, in seconds, for an axis."""
    for least, unit in ((0, "s"), (-3, "ms")):
        if power >= least:
            return f"{10 ** (power - least)} {unit}"
    return f"{10 ** (power + 6)} µs"


def line(name: str, points: list) -> str:
    """One command's."""
    colour, dashes = STYLES[name]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    broken = f' stroke-dasharray="{dashes}"' if dashes else ""
    drawn = f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{broken}/>'
    return f'<g fill="{colour}">{drawn}{dots}</g>'


def labels(placed: dict) -> list:
    """Names beside the ends of the lines, pushed apart where ends are close."""
    parts = []
    for x in sorted({points[-1][0] for points in placed.values()}):
        ends = sorted((points[-1][1], name) for name, points in placed.items() if points[-1][0] == x)
        spots = apart([y for y, _ in ends])
        for (y, name), spot in zip(ends, spots):
            colour = STYLES[name][0]
            if abs(spot - y) > 2:
                parts.append(f'<path d="M{x + 5:.1f} {y:.1f}L{x + 14:.1f} {spot:.1f}" stroke="{colour}" fill="none"/>')
            halo = 'stroke="#ffffff" stroke-width="4" paint-order="stroke" stroke-linejoin="round"'
            parts.append(f'<text x="{x + 18:.1f}" y="{spot + 4.5:.1f}" fill="{colour}" {halo}>{name}</text>')
    return parts


def apart(wanted: list) -> list:
    """The nearest places, ascending, of which no two are closer than a line; around where they want to be."""
    groups = []
    for y in wanted:
        groups.append([[y], y])
        # Groups that meet become one, around their middle.
        while len(groups) > 1 and span(groups[-2])[1] + LINE > span(groups[-1])[0]:
            together = groups[-2][0] + groups.pop()[0]
            groups[-1] = [together, sum(together) / len(together)]
    return [span(group)[0] + LINE * number for group in groups for number in range(len(group[0]))]


def span(group: list) -> tuple:
    """The first and last place of a group."""
    half = LINE * (len(group[0]) - 1) / 2
    return group[1] - half, group[1] + half
