"""Texts as streams of blocks that can be read from the beginning any number of times."""

from collections.abc import Callable, Iterator

Blocks = Callable[[], Iterator[str]]
"""A text: each call yields it from the beginning, in blocks of any size."""


def in_memory(text: Blocks) -> Blocks:
    """The same text read into memory, as one block."""
    whole = "".join(text())
    return lambda: iter([whole] if whole else [])


def whole_lines(blocks: Iterator[str]) -> Iterator[str]:
    r"""The same text in blocks that end after a line (\n), except the last; none is empty."""
    return cut_at(blocks, lambda block, _: block.rfind("\n") + 1)


def cut_at(blocks: Iterator[str], cut: Callable[[str, bool], int]) -> Iterator[str]:
    """The same text in other blocks, none of them empty.

    `cut(block, pending)` gives the position in a block up to which an output block may reach, 0 for nowhere; `pending`
    says whether text before the block waits for its end.
    """
    begun: list[str] = []
    for block in blocks:
        end = cut(block, bool(begun))
        if end:
            yield "".join([*begun, block[:end]])
            begun.clear()
        if end < len(block):
            begun.append(block[end:])
    if begun:
        yield "".join(begun)


def unix_line_ends(blocks: Iterator[str]) -> Iterator[str]:
    r"""The text with \r\n and \r replaced by \n."""
    pending = ""  # a \r at the end of a block: the next one may begin with its \n
    for block in blocks:
        text = pending + block
        pending = "\r" if text.endswith("\r") else ""
        text = text.removesuffix(pending)
        yield text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    if pending:
        yield "\n"
