"""mkdocs hook: the site has the layout of the repository, so the pages' relative links work on both.

mkdocs reads one folder, docs/. This hook moves its files to docs/ in the site, and adds the files outside docs/ that
the pages link to, with README.md as the first page. A notebook becomes a page with its saved outputs.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

OUTSIDE_DOCS = (
    "*.md",
    "LICENSE",
    "demo/README.md",
    "models/*/MODEL_CARD.md",
    "packaging/*.service",
    "packaging/*.timer",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return docs/ and the files outside it with their paths in the repository, and the theme's own files."""
    root = Path(config.docs_dir).parent
    of_docs = [file for file in files if file.src_dir == config.docs_dir]
    paths = [Path(file.abs_src_path) for file in of_docs if file.abs_src_path]
    paths += [path for pattern in OUTSIDE_DOCS for path in sorted(root.glob(pattern))]
    for file in of_docs:
        files.remove(file)
    for path in paths:
        name = path.relative_to(root).as_posix()
        files.append(File(name, str(root), config.site_dir, config.use_directory_urls))
        if path.suffix == ".ipynb":
            for page in notebook_files(path, name.removesuffix(".ipynb"), config):
                files.append(page)
    return files


def notebook_files(path: Path, name: str, config: MkDocsConfig) -> list[File]:
    """Return a notebook as the page `name`.md, and its figures."""
    resources = {"unique_key": Path(name).name, "output_files_dir": f"{Path(name).name}_files"}
    text, exported = MarkdownExporter().from_filename(str(path), resources=resources)
    text = text.replace("![png](", "![Figure drawn by the code above](")
    figures = [
        File.generated(config, (Path(name).parent / figure).as_posix(), content=content)
        for figure, content in exported["outputs"].items()
    ]
    return [File.generated(config, f"{name}.md", content=text), *figures]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to a notebook lead to its page."""
    return re.sub(r"(\]\([^)#:]+)\.ipynb\b", r"\1.md", markdown)
