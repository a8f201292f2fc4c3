"""Text from files, made safe to show: on a terminal, in Markdown and in a picture."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Two signs without a width that Persian, Indian languages and emoji are written with.
_JOINERS = "\u200c\u200d"
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_PLAIN = re.compile(r"\w([\w.-]*[\w-])?", re.ASCII)
_LONGEST_FILE_NAME = 80


def escape(text: object) -> str:
    r"""Returns a text as one line in which every character can be seen.

    Control characters, line breaks, characters that turn the direction of writing, and bytes that
    are not UTF-8 are replaced by their codes. All else stays, and so does what was escaped before.

    Args:
        text: Text of any origin, or a value whose `str` is shown.

    Returns:
        A text that encodes as UTF-8.

    Example:

    >>> print(escape("red: \x1b[31m"), escape("two\nlines"), escape("caf\udce9"), escape("über 猫"))
    red: \x1b[31m two\nlines caf\xe9 über 猫
    """
    return "".join(map(_visible, str(text)))


def escape_markdown(text: object) -> str:
    r"""Returns a text as one line of Markdown that shows it as it is.

    Args:
        text: Text of any origin, or a value whose `str` is shown.

    Returns:
        `escape` of the text, with the signs that Markdown and HTML give a meaning made harmless.

    Example:

    >>> print(escape_markdown("<b>*new*</b> [a](b) c|d resnet_8"))
    &lt;b&gt;\*new\*&lt;/b&gt; \[a\](b) c\|d resnet_8
    """
    shown = escape(text).replace("&", "&amp;")
    return _MARKDOWN.sub(lambda m: _HTML.get(m[0], f"\\{m[0]}"), shown)


def file_name(text: object) -> str:
    """Returns the name of a file after a text, such that it never is a path.

    Args:
        text: Text of any origin.

    Returns:
        The text where it consists of up to 80 ASCII letters, digits, `_`, `-` and inner `.`; else
        what is left of it, with a part of its SHA-256, so that other texts give other names.

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
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python reads names of files
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
