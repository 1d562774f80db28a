"""The bytes of a file that is not there yet. Pure: writes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from codemods.plan import CreateFile, Edit
from codemods.transformers.errors import ComposeError


def create(edits: Sequence[Edit]) -> bytes:
    """What the edits of one new file put into it. Raises ComposeError for a file that is not there, or twice, and for
    text that does not compile."""
    texts = {edit.text for edit in edits if isinstance(edit, CreateFile)}
    if len(texts) != 1 or not all(isinstance(edit, CreateFile) for edit in edits):
        raise ComposeError("the file is not there" if not texts else "the file is to be made in two ways")
    text = texts.pop()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<new>", "exec", dont_inherit=True)
        return text.encode()
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ComposeError(f"the new file does not compile: {error}") from error
