"""Line charts as SVG text: two axes, a legend, nothing that needs a library.

Promises: axes may be logarithmic; every point of a series is drawn. Does not: smooth.
"""
import html
import math

COLORS = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#566573", "#16a085"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 440, 78, 240, 44, 56


def _ticks(low, high, logarithmic):
    if logarithmic:
        found = []
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
            found += [factor * 10 ** power for factor in (1, 2, 5)]
        return [value for value in found if low * 0.999 <= value <= high * 1.001]
    step = 10 ** math.floor(math.log10(max(high - low, 1e-9)))
    while (high - low) / step < 4:
        step /= 2
    while (high - low) / step > 9:
        step *= 2
    return [low + step * i for i in range(int((high - low) / step + 1e-9) + 1)]


def _word(value):
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    if value >= 1e3:
        return f"{value / 1e3:g}k"
    return f"{value:g}"


def chart(title, x_title, y_title, series, x_log=False, y_log=False):
    """series: [(name, [(x, y), ...], dashed)]."""
    points = [point for _, line, _ in series for point in line if point[1] is not None]
    if not points:
        return ""
    x_low = min(p[0] for p in points) if x_log else 0
    y_low = min(p[1] for p in points) if y_log else 0
    x_high, y_high = max(p[0] for p in points), max(p[1] for p in points) * (1 if y_log else 1.08)
    if y_log:
        y_low, y_high = 10 ** math.floor(math.log10(max(y_low, 1e-6)) * 3 / 3), 10 ** math.ceil(math.log10(y_high))

    def place(value, low, high, logarithmic, begin, end):
        if logarithmic:
            value, low, high = (math.log10(max(v, 1e-9)) for v in (value, low, high))
        return begin + (value - low) / ((high - low) or 1) * (end - begin)

    def x(value):
        return place(value, x_low, x_high, x_log, LEFT, WIDTH - RIGHT)

    def y(value):
        return place(value, y_low, y_high, y_log, HEIGHT - BOTTOM, TOP)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{html.escape(title)}</text>']
    for value in _ticks(x_low, x_high, x_log):
        out.append(f'<path d="M{x(value):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e5e5e5"/><text x="{x(value):.1f}" '
                   f'y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_word(value)}</text>')
    for value in _ticks(y_low, y_high, y_log):
        out.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#e5e5e5"/><text x="{LEFT - 8}" '
                   f'y="{y(value) + 4:.1f}" text-anchor="end">{_word(value)}</text>')
    out.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#444"/>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">'
               f'{html.escape(x_title)}</text><text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
               f'text-anchor="middle">{html.escape(y_title)}</text>')
    colors = {}
    for number, (name, line, dashed) in enumerate(series):
        color = colors.setdefault(name.split(",")[0], COLORS[len(colors) % len(COLORS)])
        line = [(x(a), y(b)) for a, b in line if b is not None]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in line)
        out.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2"'
                   + (' stroke-dasharray="5 4"' if dashed else "") + "/>")
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in line]
        at = TOP + 14 + number * 19
        out.append(f'<path d="M{WIDTH - RIGHT + 14} {at - 4}h24" stroke="{color}" stroke-width="2"'
                   + (' stroke-dasharray="5 4"' if dashed else "")
                   + f'/><text x="{WIDTH - RIGHT + 44}" y="{at}">{html.escape(name)}</text>')
    return "\n".join(out + ["</svg>", ""])
