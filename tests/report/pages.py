"""Pages taken apart: what a browser would see in them, without one."""

import base64
import json
from html.parser import HTMLParser

import numpy as np

from accel_dse.log_rows import StudyDescription
from accel_dse.report.runs import Run

WORD = 1 << 20
"""Scripts longer than this are the chart library."""


class Page(HTMLParser):
    """Elements, texts and data of a page.

    Attributes:
        elements: (tag, attributes) in order.
        parts: name -> data of the JSON in the page.
        scripts: texts of the scripts that run.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.parts, self.scripts = [], {}, []
        self._script = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._script = (dict(attrs), [])

    def handle_data(self, data):
        if self._script:
            self._script[1].append(data)

    def handle_endtag(self, tag):
        if tag == "script":
            attributes, pieces = self._script
            if attributes.get("type") == "application/json":
                self.parts[attributes["data-part"]] = json.loads("".join(pieces))
            else:
                self.scripts.append("".join(pieces))
            self._script = None

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def unpacked(column):
    """The values of a packed column."""
    raw = np.frombuffer(base64.b64decode(column["bytes"]), column["type"])
    return [column["table"][i] for i in raw] if "table" in column else raw.tolist()


def study(**changes):
    """The description of a study with the goal of `a_log`."""
    values = {
        "problem": {
            "space": {"name": "toy", "sha256": "0", "parameters": {}},
            "workloads": [{"name": "net", "weight": 1.0, "sha256": "1"}],
            "aggregate": "mean",
            "objectives": ["minimize latency_ms"],
            "limits": ["area_mm2<=27", "power_w<=2"],
        },
        "optimizer": "random",
        "optimizer_options": {},
        "seed": 0,
        "simulator": "mine",
        "simulator_version": "1",
        "simulator_options": {},
    }
    return StudyDescription(**{**values, **changes})


def run(trials, place="a.sqlite", **changes):
    """A run of these trials."""
    return Run(place, study(**changes), trials)
