//! Nothing. What counts is this package's list of dependencies: see `scripts/workspace-hack`.
