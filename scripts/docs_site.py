"""Hooks of mkdocs.yml: pages and files of the site that are not in docs/.

The Markdown files of docs/ link to files elsewhere in the repository, so that the links work in a
checkout and on a code host. The site has a page for each of these files, and the links lead there.
The fonts are those of the web page. A picture is a link to itself in its full size.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

__all__ = ["on_config", "on_files", "on_page_content", "on_page_markdown"]

ROOT = Path(__file__).resolve().parent.parent
# Pages of the site that are Markdown files outside docs/.
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LISTED = re.compile(r"^- \[([^]]+)\]\(([\w-]+\.md)\)", re.MULTILINE)
# Where a long name in a table may continue on the next line.
TABLE_CODE = re.compile(r"(?<=<td><code>)[^<]+(?=</code>)|(?<=, <code>)[^<]+(?=</code>)")
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)(?=[)#])")
PICTURE = re.compile(r'<img [^>]*src="([^"]+)"[^>]*>')
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".sh": "sh"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let a list of pages, the README.md of a directory, be a part of the navigation.

    Parameters
    ----------
    config : MkDocsConfig
        The configuration; its navigation is changed.

    Returns
    -------
    MkDocsConfig
        The same.
    """
    for part in config.nav:
        for title, entry in part.items():
            if isinstance(entry, str) and entry.endswith("/README.md"):
                part[title] = [entry, *_sections(Path(config.docs_dir) / entry)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that are not in docs/.

    Parameters
    ----------
    files : Files
        The files of docs/; those elsewhere are added.
    config : MkDocsConfig
        The configuration.

    Returns
    -------
    Files
        The same.
    """
    copies = {"theme/css/fonts.css": ROOT / "static/css/fonts.css"}
    copies |= {
        f"theme/vendor/{file.parent.name}/{file.name}": file
        for directory in ("inter", "source-serif-4")
        for file in (ROOT / "static/vendor" / directory).iterdir()
        if file.suffix == ".woff2" or file.name == "LICENSE"
    }
    copies |= {"theme/logo.svg": ROOT / "static/icon.svg"}
    copies |= {page: ROOT / source for source, page in PAGES.items()}
    for uri, path in copies.items():
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    for source in _linked_sources(files):
        files.append(File.generated(config, _page_of(source), content=_show(source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_unused: object) -> str:
    """Let links to files outside docs/ lead to their pages on the site.

    Parameters
    ----------
    markdown : str
        The text of a page.
    page : Page
        The page.

    Returns
    -------
    str
        The text with the links of the site.
    """
    here = posixpath.dirname(page.file.src_uri)

    def lead(match: re.Match[str]) -> str:
        path = _resolve(page.file.src_uri, match[1])
        if not (ROOT / path).exists():
            return match[0]
        return posixpath.relpath(_page_of(path), here or ".")

    return LINK.sub(lead, markdown)


def on_page_content(html: str, **_unused: object) -> str:
    """Let each picture lead to itself in its full size, and long names continue at a mark.

    Parameters
    ----------
    html : str
        The content of a page.

    Returns
    -------
    str
        The content with links around the pictures, and with places to break lines in tables.
    """
    html = TABLE_CODE.sub(lambda match: re.sub(r"(?<=[_/?:])(?=\w)", "<wbr>", match[0]), html)
    return PICTURE.sub(r'<a class="picture" href="\1">\g<0></a>', html)


def _sections(page: Path) -> list[dict[str, list[dict[str, str]]]]:
    """Return the sections of a list of pages for the navigation, with the names in the list."""
    sections = page.read_text(encoding="utf-8").split("\n## ")[1:]
    return [
        {
            section.partition("\n")[0]: [
                {name: f"{page.parent.name}/{file}"} for name, file in LISTED.findall(section)
            ]
        }
        for section in sections
    ]


def _resolve(page: str, link: str) -> str:
    """Return the path in the repository to which a link of a page leads."""
    sources = {uri: source for source, uri in PAGES.items()}
    source = sources.get(page, f"docs/{page}")
    if page.startswith("source/"):
        source = page.removeprefix("source/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _page_of(path: str) -> str:
    """Return the page of the site for a path in the repository."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        inside = path.removeprefix("docs/")
        return f"{inside}/README.md" if (ROOT / path).is_dir() else inside
    return f"source/{path}/README.md" if (ROOT / path).is_dir() else f"source/{path}.md"


def _linked_sources(files: Files) -> list[str]:
    """Return the paths outside docs/ to which the pages link, but for those with pages."""
    paths = set()
    for file in files.documentation_pages():
        for link in LINK.findall(file.content_string):
            path = _resolve(file.src_uri, link)
            if not path.startswith("docs/") and path not in PAGES and (ROOT / path).exists():
                paths.add(path)
                if (ROOT / path).is_dir():
                    paths |= {f"{path}/{each.name}" for each in (ROOT / path).glob("*.py")}
    return sorted(paths)


def _show(path: str) -> str:
    """Return a page that shows a file, or lists the files of a directory."""
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n"
    if (ROOT / path).is_dir():
        files = sorted(each.name for each in (ROOT / path).glob("*.py"))
        return head + "".join(f"- [{name}]({name})\n" for name in files)
    language = LANGUAGES.get(Path(path).suffix, "text")
    return f"{head}~~~~{language}\n{(ROOT / path).read_text(encoding='utf-8')}~~~~\n"
