//! Governance: who decides what, in which time. Referenda on tracks give origins; the pallets' configurations
//! ([`crate::configs`]) say what each origin may do.

pub mod origins;
pub mod tracks;
