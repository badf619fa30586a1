"""The names of character encodings: Python's for the codecs, and those that people know."""

import codecs
import difflib
import re

AUTO = "auto"
"""The value of `data.encoding` that leaves each file's encoding to be detected."""

NAMES = {
    "utf-8-sig": "UTF-8",
    "cp1252": "Windows-1252", "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1253": "Windows-1253",
    "cp1254": "Windows-1254", "cp1255": "Windows-1255", "cp1256": "Windows-1256", "cp1257": "Windows-1257",
    "cp1258": "Windows-1258", "cp874": "Windows-874",
    "cp932": "Shift-JIS", "euc_jp": "EUC-JP", "gb18030": "GB18030", "cp950": "Big5", "cp949": "EUC-KR",
    "koi8_r": "KOI8-R", "koi8_u": "KOI8-U",
    "iso8859_1": "ISO-8859-1", "iso8859_2": "ISO-8859-2",
    "iso8859_3": "ISO-8859-3", "iso8859_4": "ISO-8859-4", "iso8859_5": "ISO-8859-5",
    "iso8859_6": "ISO-8859-6", "iso8859_7": "ISO-8859-7", "iso8859_8": "ISO-8859-8", "iso8859_9": "ISO-8859-9",
    "iso8859_15": "ISO-8859-15", "iso8859_16": "ISO-8859-16",
    "cp437": "DOS-437", "cp737": "DOS-737", "cp775": "DOS-775", "cp850": "DOS-850", "cp852": "DOS-852",
    "cp855": "DOS-855", "cp857": "DOS-857", "cp862": "DOS-862", "cp865": "DOS-865", "cp866": "DOS-866",
    "mac_roman": "Mac-Roman", "mac_latin2": "Mac-Latin2", "mac_cyrillic": "Mac-Cyrillic", "mac_greek": "Mac-Greek",
    "mac_turkish": "Mac-Turkish",
    "utf-16": "UTF-16", "utf-16-le": "UTF-16-LE", "utf-16-be": "UTF-16-BE", "utf-32": "UTF-32", "utf-7": "UTF-7",
    "iso2022_jp": "ISO-2022-JP", "iso2022_jp_ext": "ISO-2022-JP-EXT", "iso2022_jp_2": "ISO-2022-JP-2",
    "iso2022_kr": "ISO-2022-KR", "hz": "HZ",
}  # fmt: skip
"""What people call the encodings that are detected, by Python's names; any other is called as Python calls it."""


_NOT_FOR_FILES = {"idna", "punycode", "unicode-escape", "raw-unicode-escape"}


def canonical(name: str) -> str:
    """`auto`, or an encoding's name in one spelling; ValueError suggests near ones.

    Any alias that Python knows will do (`cp1250`, `latin1`), in any case and with any punctuation.
    """
    if name.strip().lower() == AUTO:
        return AUTO
    codec = _codec(name)
    if codec is None:
        spelled = {_squeezed(known): known for known in NAMES.values()}
        near = difflib.get_close_matches(_squeezed(name), spelled, n=3, cutoff=0.5)
        examples = [spelled[key] for key in near] or ["UTF-8", "Windows-1252", "Shift-JIS"]
        raise ValueError(
            f"data.encoding={name[:40]!r} names no encoding of text; auto finds out, or write {', '.join(examples)}"
        )
    return NAMES.get(codec, codec)


def codec_of(name: str) -> str:
    """Python's codec for a canonical name."""
    return next((codec for codec, known in NAMES.items() if known == name), name)


def _codec(name: str) -> str | None:
    """Python's codec for an encoding that a person names, or None if there is none for text."""
    spelled = {_squeezed(known): codec for codec, known in NAMES.items()}
    if found := spelled.get(_squeezed(name)):
        return found
    try:
        info = codecs.lookup(name)
        "e".encode(name)  # LookupError for codecs that are not for text (base64, rot13)
    except (LookupError, ValueError):
        return None
    if info.name in _NOT_FOR_FILES:
        return None
    ours = {codecs.lookup(codec).name: codec for codec in reversed(NAMES)}
    aliases = {"utf-8": "utf-8-sig", "gbk": "gb18030", "gb2312": "gb18030", "shift_jis": "cp932", "big5": "cp950"}
    codec = aliases.get(info.name, info.name)
    return ours.get(codec, codec)


def _squeezed(name: str) -> str:
    """A name without case and punctuation, and without `windows`, `win`, `cp`, `dos` or `ibm` before a number."""
    return re.sub(r"^(windows|win|cp|dos|ibm)(?=\d)", "", re.sub(r"[\W_]", "", name.lower()))
