//! What the tests say of an exploration.

use gear_exe_protocol_model::{Clause, explore};
use stateright::Model;
use std::{fmt::Debug, hash::Hash};

/// Every property holds in at least `floor` states, and everything that should be possible is, but for `beyond`, for
/// which the bounds are too narrow.
pub fn assert_holds<M>(name: &str, model: M, floor: usize, beyond: &[&str])
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let found = explore(name, model, false);
    assert!(found.violated.is_empty(), "{name}: {:?}", found.violated);
    assert_eq!(found.unreached, beyond, "{name}: never reached");
    assert!(
        found.states >= floor,
        "{name}: only {} states",
        found.states
    );
}

/// Without the clause this property is violated.
pub fn assert_broken<M>(name: &str, model: M, clause: Clause, property: &str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let found = explore(&format!("{name} without {clause:?}"), model, true);
    assert!(
        found.violated.contains_key(property),
        "{name} without {clause:?}: {:?}",
        found.violated
    );
}
