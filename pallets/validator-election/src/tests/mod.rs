//! Tests by topic.

mod elections;
mod fallback;
mod properties;
mod random;
mod weights;
