"""From audio blocks to verdicts."""
