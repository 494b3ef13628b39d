# SPDX-License-Identifier: Apache-2.0
"""What a benchmark measured, how it compares with its bar, and how both are shown."""

import dataclasses
import json
import operator

# A run that shares its cores with others may miss a bar by this much and still stand for it.
NOISE = 1.10

_COMPARE = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}


@dataclasses.dataclass
class Figure:
    name: str
    value: float
    unit: str
    bar: str  # "<= 3", ">= 400", "1-3", or empty: shown for comparison
    conditions: str
    steady: bool = False  # does not depend on how busy the machine is: a miss fails --quick as well

    def meets(self, noise=1.0):
        if not self.bar:
            return True
        if "-" in self.bar:
            least, most = (float(part) for part in self.bar.split("-"))
            return least <= self.value <= most
        sign, limit = self.bar.split()
        limit = float(limit)
        if sign == "<=":
            limit *= noise
        if sign == ">=":
            limit /= noise
        return _COMPARE[sign](self.value, limit)

    @property
    def ok(self):
        return self.meets()

    def to_json(self):
        return {"name": self.name, "value": round(self.value, 4), "unit": self.unit,
                "bar": self.bar, "ok": self.ok, "conditions": self.conditions}

    def shown(self):
        value = self.value
        text = f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
        return f"{text} {self.unit}".strip()


def failures(figures, quick):
    """Those that decide the exit status."""
    if quick:
        return [f for f in figures if f.steady and not f.meets(NOISE)]  # few rounds: no ratio is exact
    return [f for f in figures if not f.ok]


def row(figure):
    mark = "  " if not figure.bar else "ok" if figure.ok else "NO"
    return f"{mark} {figure.name:<36} {figure.shown():>14}  {figure.bar:<10} {figure.conditions}"


def markdown(figures, machine):
    lines = ["| figure | measured | bar | conditions |", "|---|---|---|---|"]
    for figure in figures:
        missed = "" if figure.ok else " (missed)"
        bar = f"{figure.bar} {figure.unit}".strip() if figure.bar else ""
        bar = bar.replace("<=", "≤").replace(">=", "≥").replace("= ", "")
        name = figure.name.replace("_", " ")
        lines.append(f"| {name} | {figure.shown()}{missed} | {bar} | {figure.conditions} |")
    return "\n".join(lines) + f"\n\nMeasured on {machine}.\n"


def write_readme(path, figures, machine):
    begin, end = "<!-- bench -->", "<!-- /bench -->"
    text = path.read_text()
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{path}: the marks {begin} and {end} must stand there once")
    head, rest = text.split(begin)
    path.write_text(f"{head}{begin}\n{markdown(figures, machine)}{end}{rest.split(end)[1]}")


def write_json(path, figures, machine):
    path.write_text(json.dumps({"machine": machine, "figures": [f.to_json() for f in figures]},
                               indent=1) + "\n")
