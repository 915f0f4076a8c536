"""beets plugin: genres from the audio itself, offline (docs/beets.md).

The options that lastgenre has, too, mean the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from optparse import Values
from pathlib import Path

from beets import config, ui
from beets.exceptions import UserError
from beets.importer import ImportSession, ImportTask
from beets.library import Album, Item, Library
from beets.plugins import BeetsPlugin

from genre_edge import Classifier
from genre_edge.classify.verdict import Verdict
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.tagging.candidates import CAN_VOTE, Candidate, means, writable
from genre_edge.library.tagging.names import NameRules, read_whitelist


class GenreEdgePlugin(BeetsPlugin):
    """Plugin that sets the field `genres` of albums and items."""

    def __init__(self) -> None:
        super().__init__()
        self.config.add(
            {
                "auto": True,  # or False, or "fallback": only where no other plugin has found a genre
                "force": False,
                "keep_existing": False,
                "count": 1,
                "whitelist": "",
                "source": "album",
                "pretend": False,
                "model": "edge",
                "vocabulary": "genres",
                "min_confidence": None,
                "coverage": 1.0,
            }
        )
        if self.config["auto"].get():
            self.import_stages = [self.imported]

    @cached_property
    def _classifier(self) -> Classifier:
        vocabulary = self.config["vocabulary"].as_choice(("genres", "styles"))
        try:
            return Classifier(self.config["model"].as_str(), vocabulary=vocabulary)
        except GenreEdgeError as error:
            raise UserError(f"genreedge: {error}") from None

    @cached_property
    def _rules(self) -> NameRules:
        file = self.config["whitelist"].get()
        try:
            return NameRules(whitelist=read_whitelist(Path(file).expanduser()) if file else None)
        except (OSError, GenreEdgeError) as error:
            raise UserError(f"genreedge: {error}") from None

    def commands(self) -> list[ui.Subcommand]:
        """Return the command `genreedge`."""
        command = ui.Subcommand("genreedge", help="set genres from the audio")
        add = command.parser.add_option
        add("-p", "--pretend", action="store_true", help="show what would change, and change nothing")
        add("-f", "--force", action="store_true", help="replace existing genres")
        add("-F", "--no-force", dest="force", action="store_false", help="keep existing genres (default)")
        add("-k", "--keep-existing", action="store_true", help="with --force, add to existing genres")
        add("-K", "--no-keep-existing", dest="keep_existing", action="store_false", help="replace them (default)")
        add("-A", "--items", dest="source", action="store_const", const="track", help="classify each item by itself")
        add(
            "-a",
            "--albums",
            dest="source",
            action="store_const",
            const="album",
            help="let albums vote (default)",
        )

        def run(library: Library, options: Values, query: list[str]) -> None:
            self.config.set_args(vars(options))
            for obj in library.albums(query) if self._votes_by_album else library.items(query):
                self._process(obj, write=config["import"]["write"].get(bool), force=self.config["force"].get(bool))

        command.func = run
        return [command]

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Set the genres of what is imported."""
        is_fallback = self.config["auto"].get() == "fallback"
        force = self.config["force"].get(bool) and not is_fallback
        objects: Iterable[Album | Item] = [task.album] if task.is_album else task.imported_items()
        if task.is_album and not self._votes_by_album:
            objects = task.imported_items()
        for obj in objects:
            self._process(obj, write=False, force=force)

    @property
    def _votes_by_album(self) -> bool:
        return bool(self.config["source"].as_choice(("album", "track")) == "album")

    def _process(self, obj: Album | Item, write: bool, force: bool) -> None:
        """Set the genres of an album with its items, or of an item, unless it has some."""
        existing = list(obj.genres or [])
        if existing and not force:
            self._log.debug("{}: keeping {}", obj, ", ".join(existing))
            return
        found = self._genres(obj)
        if not found:
            self._log.info("{}: no genre found", obj)
            return
        kept = existing if self.config["keep_existing"].get(bool) else []
        obj.genres = list(dict.fromkeys([*kept, *found]))
        ui.show_model_changes(obj, fields=["genres"])
        if not self.config["pretend"].get(bool):
            obj.try_sync(write=write, move=False)

    def _genres(self, obj: Album | Item) -> list[str]:
        """Return the genres to set, the best first: the means of the items that are music."""
        verdicts = [self._classify(item) for item in (obj.items() if isinstance(obj, Album) else [obj])]
        voters = [v for v in verdicts if v is not None and v.genres and v.reason in CAN_VOTE]
        found = means([[Candidate(entry.genre, None, entry.probability) for entry in v.genres] for v in voters])
        limit = self.config["min_confidence"].get()
        limit = self._threshold if limit is None else float(limit)
        named = [name for _, names in writable(found, self._rules, limit) for name in names]
        return named[: self.config["count"].get(int)]

    @property
    def _threshold(self) -> float:
        bundle = self._classifier.bundle
        return bundle.style_threshold if self.config["vocabulary"].get() == "styles" else bundle.threshold

    def _classify(self, item: Item) -> Verdict | None:
        try:
            return self._classifier.classify(os.fsdecode(item.path), coverage=self.config["coverage"].get(float))
        except AudioError as error:
            self._log.warning("{}", error)
            return None
