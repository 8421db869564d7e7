//! End to end: each module starts networks of its own and stops them. `scripts/test` runs several tests at a time.
//!
//! One binary: each that there is compiles the same generic code of providers once more, for a minute.

mod backups;
mod byzantine;
mod command_line;
mod demo;
mod deposits;
mod development;
mod equivocations;
mod era;
mod hostile;
mod lifecycle;
mod native;
mod outages;
mod polkadot;
mod reorgs;
mod restarts;
mod settlement;
mod slash;
mod status;
mod typescript;
mod validators;
