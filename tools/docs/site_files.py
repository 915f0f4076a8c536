"""mkdocs hook: the site has the layout of the repository, so the pages' relative links work on both.

mkdocs reads one folder, docs/. This hook moves its files to docs/ in the site, and adds the files outside docs/ that
the pages link to, with README.md as the first page.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

OUTSIDE_DOCS = ("*.md", "LICENSE", "demo/README.md", "models/*/MODEL_CARD.md", "packaging/*.service")


@event_priority(100)  # before the plugins that look for their files
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
    return files
