"""Links of Ogg files (RFC 3533). Chained links, as in a saved radio stream, are decoded one after another."""

from dataclasses import replace

from genre_edge.audio.containers.layout import Layout
from genre_edge.audio.containers.ogg_link import Link, recover_headers
from genre_edge.audio.containers.ogg_pages import BEGINS, PageScan, is_ogg
from genre_edge.audio.containers.tags import after_id3v2

_MAX_LINKS = 10_000  # a file with more was made to cost time and memory
_BEGINS_WITHIN = "the file begins within a stream"


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of an Ogg file; None for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    start = after_id3v2(descriptor, 0)
    if not is_ogg(descriptor, start):
        return None
    links, lost, problem = _find_links(descriptor, start, size)
    if lost:
        problem = problem or _BEGINS_WITHIN
    recover_headers(descriptor, lost, links)
    links = sorted(links + [link for link in lost if link.header], key=lambda link: link.start)
    if not links:
        return None
    lost = [replace(link, rate=links[0].rate) for link in lost if not link.header]  # at a rate that is likely
    seconds = sum(link.seconds for link in links + lost)
    if problem is None and links[-1].serial is not None and not links[-1].has_end:
        problem = "the last page is missing"
    is_whole = len(links) == 1 and links[0].start == 0 and len(links[0].pieces) == 1
    undecodable_s = sum(link.damaged_s for link in links) + sum(link.seconds for link in lost)
    parts = () if is_whole else tuple(link.part for link in links)
    return Layout(parts, seconds or None, seconds or None, problem, undecodable_s)


def _find_links(descriptor: int, start: int, size: int) -> tuple[list[Link], list[Link], str | None]:
    """Return the links, the streams whose first page is lost, and a description of the damage."""
    links: list[Link] = []
    lost: list[Link] = []
    lost_now: dict[int, Link] = {}  # by serial number, since the last link began
    are_first_pages, end, problem, is_behind_damage = False, start, None, False
    scan = PageScan(descriptor, size)
    for page in scan.pages(start):
        if len(links) + len(lost) > _MAX_LINKS:
            return links[:_MAX_LINKS], lost, f"the file has more than {_MAX_LINKS} parts; the rest is not decoded"
        if page.start != end or page.repaired is not None:
            problem = "the file has damaged pages" if end > start or page.flags & BEGINS else _BEGINS_WITHIN
        is_behind_damage = is_behind_damage or page.start != end
        end = page.end
        if page.flags & BEGINS:
            if not are_first_pages:
                links.append(Link(page.start, page.start))
                lost_now.clear()
            links[-1].begin_stream(page)
        elif links and links[-1].contains(page):
            links[-1].add(page, is_behind_damage)
        else:
            if page.serial not in lost_now:
                lost_now[page.serial] = Link(page.start, page.start, {page.serial}, page.serial)
                lost.append(lost_now[page.serial])
            lost_now[page.serial].add(page, False)
        is_behind_damage = is_behind_damage and page.granule <= 0
        are_first_pages = bool(page.flags & BEGINS)
    if scan.is_cut:
        problem = "the last page is incomplete"
    # In undamaged files, a stream without a first page is none that decoders know.
    return links, lost if problem or not links or links[0].start else [], problem
