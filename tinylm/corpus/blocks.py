"""A text that is read block by block, from its beginning as often as one likes."""

from collections.abc import Callable, Iterator

Blocks = Callable[[], Iterator[str]]
"""A text: each call gives it from the beginning, in blocks of any size."""


def kept(text: Blocks) -> Blocks:
    """The same text out of the memory, as one block."""
    whole = "".join(text())
    return lambda: iter([whole] if whole else [])


def whole_lines(blocks: Iterator[str]) -> Iterator[str]:
    r"""The same text in blocks that end after a line, but for the last; none is empty. Lines end with \n."""
    begun: list[str] = []
    for block in blocks:
        end = block.rfind("\n") + 1
        if end:
            yield "".join([*begun, block[:end]])
            begun.clear()
        if end < len(block):
            begun.append(block[end:])
    if begun:
        yield "".join(begun)


def plain_ends(blocks: Iterator[str]) -> Iterator[str]:
    r"""Line ends to \n, whether they were \r\n or \r."""
    held = ""  # \r, of which nobody knows yet whether \n follows
    for block in blocks:
        text = held + block
        held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix(held)
        yield text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    if held:
        yield "\n"
