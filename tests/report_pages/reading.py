"""Reads a page as a browser would, as far as the tests ask: elements, tables, the data of the groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page:
    elements: list[Element] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)  # by id, or class: rows of texts

    def named(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.name == name]

    def with_class(self, name: str) -> list[Element]:
        return [element for element in self.elements if name in element.attributes.get("class", "").split()]

    @property
    def files(self) -> list[list[dict[str, Any]]]:
        """The files of every group, in the order of the page."""
        return [json.loads(element.text)["files"] for element in self.with_class("data")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.open: list[Element] = []
        self.rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.page.elements.append(element)
        if tag not in {"meta", "input", "br", "rect"}:
            self.open.append(element)
        if tag == "table":
            name = element.attributes.get("id") or element.attributes["class"].split()[-1]
            self.rows = self.page.tables[name] = []
        if tag == "tr" and self.rows is not None:
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1].name == tag:
            closed = self.open.pop()
            if tag in {"td", "th"} and self.rows:
                self.rows[-1].append(closed.text.strip())

    def handle_data(self, data: str) -> None:
        # what a small print says is no part of a cell's text
        if not any(element.name == "small" for element in self.open):
            for element in self.open:
                element.text += data


def read_page(text: str) -> Page:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.page
