"""The pieces that the HTML report is made of: text, tables, sections, and how they look on a screen and on paper."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --faint: #5f5f5f; --line: #d4d4d4; --tile: #eee; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #16181c; --faint: #a5a5a5; --line: #3c4046; --tile: #26292e; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 1060px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.9rem; margin: 0 0 .25rem; line-height: 1.2; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; }
.verdict { font-size: 1.15rem; border-left: 4px solid #0072b2; padding: .2rem 0 .2rem 1rem; }
.faint, figcaption, .sub { color: var(--faint); font-size: .88rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  min-width: 3.5rem; }
thead th { color: var(--faint); font-weight: 600; }
tbody th { font-weight: 600; min-width: 9rem; }
.told td:last-child { min-width: 24rem; }
th .sub { font-weight: 400; }
.pictures td, .pictures th { border: 0; padding: .2rem .35rem .2rem 0; }
.pictures img, .pictures .blank { display: block; width: 132px; height: 132px; object-fit: contain;
  background: var(--tile); border-radius: 4px; }
.pictures .blank { display: flex; align-items: center; justify-content: center; color: var(--faint);
  font-size: .8rem; text-align: center; padding: .5rem; }
.pictures thead th { max-width: 132px; font-weight: 400; font-size: .8rem; vertical-align: bottom; }
figure { margin: 1rem 0; }
figure svg, figure > img { max-width: 100%; height: auto; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 1.6rem; }
.pair { display: flex; align-items: flex-start; } .pair svg { flex: 0 1 auto; min-width: 0; }
@media screen and (max-width: 620px) {
  .pair { flex-wrap: wrap; } figure { overflow-x: auto; } figure svg { max-width: none; width: 600px; }
}
ul { margin: .3rem 0; padding-left: 1.1rem; } li { margin: .25rem 0; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: .1rem 1rem; margin: .7rem 0; }
.narrow th, .narrow td { min-width: 0; } .narrow tbody th { min-width: 7rem; }
details { margin: .7rem 0; } summary { cursor: pointer; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; font-size: .9rem; margin: .4rem 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 620px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@page { size: portrait; margin: 12mm; }
@page sideways { size: landscape; }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --faint: #444; --line: #bbb; --tile: #eee; }
  html { background: #fff; } body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2 { margin-top: 1.2rem; } h2, h3 { break-after: avoid; }
  .sideways { page: sideways; }
  .wide { overflow: visible; } table { font-size: 7.5pt; width: 100%; } thead { display: table-header-group; }
  th, td, .told td:last-child { min-width: 0; padding-right: .3rem; overflow-wrap: anywhere; }
  tbody th, .narrow tbody th { min-width: 2.4cm; } thead th { overflow-wrap: break-word; }
  .many thead th { overflow-wrap: anywhere; }
  .beside { grid-template-columns: repeat(3, 1fr); }
  .narrow td { overflow-wrap: break-word; }
  .pictures { width: auto; } .pictures img, .pictures .blank { width: 84px; height: 84px; }
  .pictures thead th { max-width: 84px; }
  figure svg, figure > img { max-height: 165mm; }
  details:not([open]) { display: none; }
  tr, figure, li, .verdict, .card, dt, dd { break-inside: avoid; } dt { break-after: avoid; }
}
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # a browser fetches and runs nothing


def document(title: str, body: str) -> str:
    """A whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section(title: str, *inner: str, kind: str = "") -> str:
    """A heading and what is under it; nothing at all where nothing is. ``kind``: "sideways" on paper on its side."""
    filled = [part for part in inner if part]
    opening = f'<section class="{kind}">' if kind else "<section>"
    return "\n".join([f"{opening}\n<h2>{escape(title)}</h2>", *filled, "</section>"]) if filled else ""


def text(words: str, kind: str = "") -> str:
    """A paragraph; nothing where there are no words."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return f"{opening}{escape(words)}</p>" if words else ""


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names with what each is."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(said)}</dd>' for name, said in rows)}</dl>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "plain") -> str:
    """A table whose first column heads its rows; wider than the page it scrolls by itself.

    ``kind``: "told" where the last column holds sentences, "narrow" where cells hold a figure each, "many" where the
    columns are more than can keep their words whole on paper.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
    )


def figure(inner: str, caption: str = "") -> str:
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{inner}{said}</figure>"


def bullets(lines: Iterable[tuple[str, str]]) -> str:
    """A list; what a line is about stands before it in bold."""
    items = [f"<li>{f'<b>{escape(head)}:</b> ' if head else ''}{escape(words)}</li>" for head, words in lines]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def beside(blocks: Iterable[str]) -> str:
    """Blocks side by side, on a phone below each other."""
    return f'<div class="beside">{"".join(f"<div>{block}</div>" for block in blocks)}</div>'


def folded(title: str, *inner: str) -> str:
    """What is opened by a click, and left out on paper unless it is open; nothing at all where nothing is."""
    filled = "".join(inner)
    return f"<details><summary>{escape(title)}</summary>{filled}</details>" if filled else ""


def card(title: str, *inner: str) -> str:
    """A heading with what belongs to it, in a frame."""
    return f'<div class="card"><h3>{escape(title)}</h3>{"".join(inner)}</div>'
