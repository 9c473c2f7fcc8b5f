import time

import pytest

from server.corpora.gutenberg import find_licence, without_licence

HEADER = """The Project Gutenberg eBook of The Mill

This ebook is for the use of anyone anywhere in the United States and
most other parts of the world at no cost and with almost no restrictions
whatsoever, under the terms of the Project Gutenberg License included
with this ebook or online at www.gutenberg.org.

Title: The Mill

Author: Anna Miller

Release date: May 1, 2001 [eBook #99999]

Language: English

"""
OLD_HEADER = (
    "The Project Gutenberg Etext of The Mill, by Anna Miller\n\n"
    "**Welcome To The World of Free Plain Vanilla Electronic Texts**\n\n"
    "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\n"
    + "By using any part of this PROJECT\nGUTENBERG-tm etext, you indicate that you agree.\n"
    * 100
)
BOOK = "    CHAPTER I\n\n" + "Old Anna went to the mill. The mill was shut.\n" * 1000 + "THE END\n"
LICENCE = (
    """

Updated editions will replace the previous one.

START: FULL LICENSE

THE FULL PROJECT GUTENBERG LICENSE
"""
    + "Project Gutenberg™ is a registered trademark, and the Project\nGutenberg Foundation.\n" * 200
)
START = "*** START OF THE PROJECT GUTENBERG EBOOK THE MILL ***"
END = "*** END OF THE PROJECT GUTENBERG EBOOK THE MILL ***"


@pytest.mark.parametrize(
    "start",
    [
        START,
        "*** START OF THIS PROJECT GUTENBERG EBOOK THE MILL ***",
        "***START OF THE PROJECT GUTENBERG EBOOK THE MILL***",
        "  ***  Start of  this Project Gutenberg  eBook The Mill *** ",
        "*** START OF THE PROJECT GUTENBERG EBOOK, THE MILL ***",
        "*** START OF THE PROJECT GUTENBERG EBOOK THE MILL\nAND OTHER STORIES,\nBY ANNA ***",
        "*** START OF THE PROJECT GUTENBERG EBOOK DIE MÜHLE ***",
        "*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK 12 ***",
        "*** START OF THE PROJECT GUTENBERG E-TEXT THE MILL",
    ],
)
@pytest.mark.parametrize(
    "end",
    [
        END,
        "*** END OF THIS PROJECT GUTENBERG EBOOK THE MILL ***",
        "***END OF THE PROJECT GUTENBERG EBOOK THE MILL***",
        "End of Project Gutenberg's The Mill, by Anna Miller\n\n" + END,
        "End of the Project Gutenberg EBook of The Mill, by Anna Miller",
    ],
)
def test_the_licence_is_recognised(start, end):
    text = f"{HEADER}{start}\n\n \n{BOOK}\n\n{end}{LICENCE}"
    licence = find_licence(text)
    assert licence is not None
    assert without_licence(text, licence) == BOOK
    assert text[licence.start :].startswith(BOOK)
    assert licence.start + len(BOOK) + licence.end == len(text)
    assert (licence.first_line, licence.last_line) == ("CHAPTER I", "THE END")
    assert not licence.left_out


@pytest.mark.parametrize(
    "last",
    [
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*",
    ],
)
@pytest.mark.parametrize("first", ["", START + "\n"])
def test_the_small_print_of_old_texts_is_recognised(first, last):
    text = (
        f"{first}{OLD_HEADER}\n{last}\n\n\n{BOOK}\nEnd of the Project Gutenberg Etext of The Mill\n"
    )
    licence = find_licence(text)
    assert licence is not None
    assert without_licence(text, licence) == BOOK


def test_one_side_is_enough():
    only_start = find_licence(f"{HEADER}{START}\n{BOOK}")
    assert only_start is not None
    assert only_start.end == 0
    assert only_start.size == f"{len(HEADER) + len(START) + 1:,} characters at the start"
    only_end = find_licence(f"{BOOK}{END}\n")
    assert only_end is not None
    assert (only_end.start, only_end.end) == (0, len(END) + 1)
    only_marker = find_licence(f"{START}\n{BOOK}")
    assert only_marker is not None
    assert only_marker.start == len(START) + 1


@pytest.mark.parametrize(
    "text",
    [
        BOOK,
        "",
        BOOK + START + "\n" + BOOK,
        BOOK + END + "\n" + BOOK,
        "On formats.\n\n" + START + "\nis a line that many texts have.\n" + BOOK,
        BOOK + "It ended like this:\n" + END + "\nThen she closed the book.\n",
        # A short text about it.
        f"Books of Project Gutenberg begin so:\n{START}\nand end so:\n{END}\nAnna likes them.\n",
        f'She typed "{START}" and left.\n{BOOK}',
        f"{START}\n{END}\n",
        HEADER + BOOK,
    ],
)
def test_a_text_without_the_licence_or_with_a_quotation_of_it_is_unchanged(text):
    assert find_licence(text) is None


def test_a_quotation_in_a_book_with_a_licence_is_no_border():
    book = BOOK + f"She read:\n{START}\n{END}\nand closed it.\n" + BOOK
    text = f"{HEADER}{START}\n{book}{END}{LICENCE}"
    licence = find_licence(text)
    assert licence is not None
    assert without_licence(text, licence) == book
    quotation_first = f"She read:\n\n{START}\n{BOOK}"
    text = f"{HEADER}{START}\n{quotation_first}{END}{LICENCE}"
    licence = find_licence(text)
    assert licence is not None
    assert without_licence(text, licence) == quotation_first


@pytest.mark.parametrize(
    "repeated",
    [
        "*",
        START + "\n",
        END + "\n",
        START + "*" * 400,
        "*** START OF THE PROJECT GUTENBERG EBOOK " + "* " * 9_000 + "x",
        "*END" + " " * 15_000,
        "\n",
        "Project \n",
    ],
)
def test_hostile_text_takes_little_time(repeated):
    text = (repeated * (60_000 // len(repeated) + 1))[:60_000]
    began = time.process_time()
    find_licence(text)
    assert time.process_time() - began < 5.0
