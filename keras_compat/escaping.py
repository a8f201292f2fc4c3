"""Escaping of untrusted text for a terminal, Markdown, pictures and file names."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Two characters without a width that Persian, Indian languages and emoji need.
_JOINERS = "\u200c\u200d"
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_PLAIN = re.compile(r"\w([\w.-]*[\w-])?", re.ASCII)
_LONGEST_FILE_NAME = 80


def escape(text: object) -> str:
    r"""Returns a text as one line of visible characters, which encodes as UTF-8.

    Control characters, line breaks, characters that change the direction of writing, and bytes
    that are not UTF-8 are replaced by their codes. Other characters stay; to escape twice is the
    same as to escape once.

    Args:
        text: Untrusted text, or a value whose `str` is shown.

    Example:

    >>> print(escape("red: \x1b[31m"), escape("two\nlines"), escape("caf\udce9"), escape("über 猫"))
    red: \x1b[31m two\nlines caf\xe9 über 猫
    """
    return "".join(map(_visible, str(text)))


def escape_markdown(text: object) -> str:
    r"""Returns one line of Markdown that shows a text literally.

    The text is escaped as by `escape`; then the characters with a meaning in Markdown or HTML.

    Args:
        text: Untrusted text, or a value whose `str` is shown.

    Example:

    >>> print(escape_markdown("<b>*new*</b> [a](b) c|d resnet_8"))
    &lt;b&gt;\*new\*&lt;/b&gt; \[a\](b) c\|d resnet_8
    """
    shown = escape(text).replace("&", "&amp;")
    return _MARKDOWN.sub(lambda m: _HTML.get(m[0], f"\\{m[0]}"), shown)


def file_name(text: object) -> str:
    """Returns a file name made from a text; the name is never a path.

    Returns:
        The text itself if it has at most 80 ASCII letters, digits, `_`, `-` and inner `.`. Else
        those characters and a part of the text's SHA-256, so that two texts differ in their names.

    Example:

    >>> file_name("digits_to_mnist5k"), file_name("../../victim")
    ('digits_to_mnist5k', 'victim-e2c35920')
    """
    text = str(text)
    if len(text) <= _LONGEST_FILE_NAME and _PLAIN.fullmatch(text):
        return text
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("._-")[:_LONGEST_FILE_NAME].rstrip(".")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category == "Zs":  # spaces of all widths
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
