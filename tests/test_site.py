"""The docs as a website: built strictly, complete, with links that work, and without other hosts."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT
from tests.helpers.site import Page, build_site

pytestmark = pytest.mark.slow
DOCUMENTS = [path for pattern in ("docs/*.md", "docs/*.ipynb", "*.md", "models/*/*.md") for path in ROOT.glob(pattern)]
CSS_ADDRESS = re.compile(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    done = build_site(folder)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """The pages of the site, by path."""
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_site_has_all_documents(site: Path, pages: dict[Path, Page]) -> None:
    """Each document of the project has a page, README the first one."""
    names = [path.relative_to(ROOT).with_suffix(".html").as_posix() for path in DOCUMENTS]
    expected = {site / (name if name != "README.html" else "index.html") for name in names}
    assert expected | {site / "demo" / "index.html"} == set(pages)


def test_site_shows_notebook_with_figures(site: Path, pages: dict[Path, Page]) -> None:
    """The notebook's page has its figures."""
    figures = [address for address in pages[site / "docs" / "tutorial.html"].fetched if "_files/" in address]
    assert len(figures) >= 8 and len(set(figures)) == len(figures)


def test_site_fetches_nothing_from_other_hosts(site: Path, pages: dict[Path, Page]) -> None:
    """Scripts, styles, fonts and images of all pages are part of the site."""
    sheets = {path: path.read_text() for path in site.rglob("*.css")}
    assert sheets
    for path, page in pages.items():
        addresses = [*page.fetched, *CSS_ADDRESS.findall(page.styles)]
        assert addresses and not [address for address in addresses if urlsplit(address).netloc], path.name
    for path, text in sheets.items():
        assert not [address for address in CSS_ADDRESS.findall(text) if urlsplit(address).netloc], path.name


def local_targets(page: Page) -> Iterator[tuple[Path, str]]:
    """Yield (file, fragment) of a page's addresses in the site."""
    for address in [*page.fetched, *page.links]:
        parts = urlsplit(address)
        if not parts.scheme and not parts.netloc:
            yield (
                (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path,
                unquote(parts.fragment),
            )


def test_site_local_links(pages: dict[Path, Page]) -> None:
    """Addresses in the site lead to a file, and fragments to an element of its page."""
    for page in pages.values():
        for path, fragment in local_targets(page):
            assert path.is_file(), f"{page.path.name}: {path}"
            assert not fragment or fragment in pages[path].ids, f"{page.path.name}: {path.name}#{fragment}"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("README.md", "[none](docs/none.md)", "'docs/none.md', but the target is not found"),
        ("docs/live.md", "[none](model.md#none)", "'model.md#none', but the doc 'docs/model.md' does not contain"),
        ("docs/extra.md", "# Extra", "docs/extra.md"),
    ],
)
def test_site_build_fails(name: str, text: str, message: str, tmp_path: Path) -> None:
    """A link or an anchor that leads nowhere, and a page without a place in the navigation, end the build."""
    project = tmp_path / "project"
    for part in ("docs", "demo", "models", "packaging", "tools/docs"):
        shutil.copytree(ROOT / part, project / part)
    for path in [*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "mkdocs.yml"]:
        shutil.copy(path, project)
    with (project / name).open("a") as file:
        file.write(f"\n{text}\n")
    done = build_site(tmp_path / "site", project)
    assert done.returncode != 0 and message in done.stderr
