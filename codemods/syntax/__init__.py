"""Reads Python of any version from 3.11 to 3.15, whatever Python runs this. Pure; knows nothing of this project."""

from codemods.syntax.comments import CommentToken, comment_tokens
from codemods.syntax.reading import NEWEST, compile_error, masked, parse, parse_expression

__all__ = ["NEWEST", "CommentToken", "comment_tokens", "compile_error", "masked", "parse", "parse_expression"]
