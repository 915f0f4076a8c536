"""The schema of a library's database (docs/library.md). Datasette and sqlite-utils can read it."""

APPLICATION_ID = 0x67656C69  # "geli"
SCHEMA_VERSION = 2

# `path` is valid Unicode: a byte that is not UTF-8 is written as \xHH, as in JSON output (docs/cli.md).
# `genres` and `styles` are JSON arrays as in a verdict (docs/verdict.md). Times are ISO 8601, UTC.
TABLES = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    audio_digest TEXT,
    scanned_at TEXT NOT NULL,
    gone_at TEXT,
    model TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    coverage REAL NOT NULL,
    error TEXT,
    warning TEXT,
    genre TEXT,
    confidence REAL,
    reason TEXT,
    style TEXT,
    sound TEXT,
    music_share REAL,
    duration_s REAL,
    classified_s REAL,
    genres TEXT NOT NULL DEFAULT '[]',
    styles TEXT NOT NULL DEFAULT '[]',
    has_segments INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX files_by_genre ON files (genre, confidence);
CREATE INDEX files_by_state ON files (gone_at, error, genre, style, reason, sound, model, duration_s);
CREATE INDEX files_by_doubt ON files (gone_at, error, reason IS NULL, confidence, path);
CREATE INDEX files_by_audio ON files (audio_digest);
CREATE INDEX files_with_error ON files (path) WHERE error IS NOT NULL;
CREATE TABLE segments (
    file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    genre TEXT,
    confidence REAL,
    reason TEXT,
    PRIMARY KEY (file_id, start_s)
) WITHOUT ROWID;
CREATE TABLE models (
    model_sha256 TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    threshold REAL NOT NULL,
    style_threshold REAL NOT NULL
) WITHOUT ROWID;
"""

# Statements that turn a version into the next one. Version 1 has no thresholds: until the next scan, that of a model is
# the least confidence of its genres, and of styles that of the shipped models.
UPGRADES = {
    1: """
DROP INDEX files_by_state;
CREATE INDEX files_by_state ON files (gone_at, error, genre, style, reason, sound, model, duration_s);
ALTER TABLE files ADD COLUMN has_segments INTEGER NOT NULL DEFAULT 0;
UPDATE files SET has_segments = 1 WHERE id IN (SELECT file_id FROM segments);
CREATE TABLE models (
    model_sha256 TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    threshold REAL NOT NULL,
    style_threshold REAL NOT NULL
) WITHOUT ROWID;
INSERT INTO models
    SELECT model_sha256, max(model), coalesce(min(CASE WHEN genre IS NOT NULL THEN confidence END), 0), 0.5
    FROM files GROUP BY model_sha256;
"""
}
