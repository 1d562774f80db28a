"""One file's bytes as text: its encoding by the rules of PEP 263, its line ends, its indentation.

Pure: touches nothing. No codec but those of the standard library is ever looked up, whatever a file declares.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import io
import re
import tokenize
from collections import Counter


class UnreadableError(Exception):
    """Bytes that cannot be worked on as source text. Says what is wrong and what to do; `line` is 0 when unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def decode(data: bytes) -> tuple[bytes, str, str]:
    """The byte order mark (or none), the encoding, and the text, such that `mark + text.encode(encoding) == data`.

    Raises UnreadableError.
    """
    mark, encoding = _encoding(data)
    try:
        text = data[len(mark) :].decode(encoding)
        survives = mark + text.encode(encoding) == data
    except UnicodeError as error:
        line = _line(data, len(mark) + error.start) if isinstance(error, UnicodeDecodeError) else 0
        how = "correct its encoding declaration" if encoding != "utf-8" else "declare its encoding in the first line"
        raise UnreadableError(f"the text is not {encoding}; {how}, or convert the file to UTF-8", line) from error
    if not survives:
        raise UnreadableError(f"the bytes change when decoded and encoded as {encoding}; convert the file to UTF-8")
    return mark, encoding, text


_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_BLANK = re.compile(rb"^[ \t\f]*(?:[#\r\n]|$)", re.ASCII)


def _encoding(data: bytes) -> tuple[bytes, str]:
    """The byte order mark and the encoding by the rules of PEP 263, for codecs of the standard library only."""
    for mark, name in ((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32")):
        if data.startswith(mark):
            raise UnreadableError(f"the file is {name}, which Python does not read; convert it to UTF-8")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError("the file is UTF-16, which Python does not read; convert it to UTF-8")
    if b"\0" in data:
        place = _line(data, data.index(b"\0"))
        raise UnreadableError("there is a NUL byte in the file: it is UTF-16 without a mark, or no text at all", place)

    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    text = data[len(mark) :]
    cookie = _cookie(re.split(rb"\r\n|\r|\n", text, maxsplit=2))
    if cookie != _cookie(text.split(b"\n", 2)):  # tokenize knows no lines that end in a bare \r, the compiler does
        raise UnreadableError("its lines end in CR and its encoding declaration is unclear; convert the line ends", 1)
    if cookie is not None:
        _check_codec(cookie)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except (SyntaxError, UnicodeError) as error:
        reason = getattr(error, "msg", None) or str(error)
        raise UnreadableError(f"{reason}; correct the encoding declaration, or convert the file to UTF-8", 1) from error
    return mark, "utf-8" if mark else encoding


def _cookie(lines: list[bytes]) -> str | None:
    for line in lines[:2]:
        if match := _COOKIE.match(line):
            return match[1].decode("ascii")
        if not _BLANK.match(line):
            return None
    return None


# Standard text encodings that have no alias. Any other name might belong to a codec that someone has registered.
_WITHOUT_ALIAS = frozenset({"cp720", "cp737", "cp856", "cp874", "cp1006", "koi8_t", "koi8_u", "utf_8_sig"})
_CODECS = frozenset(encodings.aliases.aliases) | frozenset(encodings.aliases.aliases.values()) | _WITHOUT_ALIAS
_ASCII = bytes((*range(0x20, 0x7F), *b"\t\n\f\r"))


def _check_codec(cookie: str) -> None:
    # What tokenize takes for these two, with or without the line ends that Emacs adds: `utf-8-unix`.
    short = re.sub(r"^(utf-8|latin-1|iso-8859-1|iso-latin-1)-.*", r"\1", cookie.lower().replace("_", "-"))
    if encodings.normalize_encoding(short).lower() not in _CODECS:
        raise UnreadableError(f"unknown encoding {cookie!r} declared; convert the file to UTF-8", 1)
    try:
        understood = _ASCII.decode(short) == _ASCII.decode("ascii")
    except (LookupError, ValueError):  # not a text encoding, or not on this system
        understood = False
    if not understood:
        raise UnreadableError(f"{cookie!r} is no encoding for source text; convert the file to UTF-8", 1)


def _line(data: bytes, position: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", data[:position])) + 1


def newline(text: str) -> str:
    """The most common line end; `\\n` when there is none, or among equals."""
    pairs = text.count("\r\n")
    counts = {"\n": text.count("\n") - pairs, "\r\n": pairs, "\r": text.count("\r") - pairs}
    return max(counts, key=lambda newline: counts[newline])


_HEADER = re.compile(r"(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b|[)\]]")
_TRIPLE = re.compile(r"#.*|(\"\"\"|''')|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_ENOUGH = 100


def indentation(text: str) -> str:
    """The most common step of indentation after a line that opens a block; four spaces when there is none."""
    steps: Counter[str] = Counter()
    quote = ""  # the triple quote that is open at the start of the line
    header: str | None = None  # the indentation of a line that opens a block, until the next statement
    for line in re.split(r"\r\n|\r|\n", text):
        if quote:
            _, closed, line = line.partition(quote)
            if not closed:
                continue
            quote, begins = _open_quote(line), False
        else:
            quote, begins = _open_quote(line), True
        bare = line.lstrip("\f").rstrip()
        code = bare.lstrip(" \t")
        if not begins or not code or code.startswith("#"):
            continue
        indent = bare[: len(bare) - len(code)]
        if header is not None and indent.startswith(header) and indent != header:
            steps[indent[len(header) :]] += 1
            if steps.total() == _ENOUGH:
                break
        opens = _HEADER.match(code) and re.sub(r"\s*#[^\"']*$", "", code).endswith(":")
        header = indent if opens else None
    return steps.most_common(1)[0][0] if steps else "    "


def _open_quote(line: str) -> str:
    """The triple quote that this line leaves open; the line begins outside of one."""
    if '"""' not in line and "'''" not in line:
        return ""
    position = 0
    while match := _TRIPLE.search(line, position):
        position = match.end()
        if match[1]:
            end = line.find(match[1], position)
            if end < 0:
                return match[1]
            position = end + 3
    return ""
