//! Runs stateright's breadth-first checker over a model, on one thread, and says what it has found.

use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::{collections::BTreeMap, fmt::Debug, hash::Hash, io::Write, time::Instant};

/// What an exploration has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// States with repetitions, so also transitions.
    pub generated: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// Properties that do not hold, with the actions that lead to where they do not.
    pub violated: BTreeMap<&'static str, Vec<String>>,
    /// What should be possible, and was never reached.
    pub unreached: Vec<&'static str>,
}

/// Explores all states that can be reached. With `until_violation` it stops soon after the first violation.
pub fn explore<M>(name: &str, model: M, until_violation: bool) -> Found
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let properties = model.properties();
    let began = Instant::now();
    let mut builder = model.checker();
    if until_violation {
        builder = builder.finish_when(HasDiscoveries::AnyFailures);
    }
    let checker = builder.spawn_bfs().join();
    let mut discoveries = checker.discoveries();
    let mut found = Found {
        states: checker.unique_state_count(),
        generated: checker.state_count(),
        depth: checker.max_depth(),
        violated: BTreeMap::new(),
        unreached: Vec::new(),
    };
    for property in properties {
        let discovery = discoveries.remove(property.name);
        match (property.expectation, discovery) {
            (Expectation::Sometimes, None) => found.unreached.push(property.name),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (_, Some(path)) => {
                let actions = path.into_actions();
                let way = actions.iter().map(|action| format!("{action:?}")).collect();
                found.violated.insert(property.name, way);
            }
        }
    }
    let verdict = if found.violated.is_empty() {
        "holds"
    } else {
        "VIOLATED"
    };
    // Not by `println!`, which the test harness keeps to itself. That it cannot be written is no reason to fail.
    let _ = writeln!(
        std::io::stdout(),
        "{name}: {verdict}; {} states, {} transitions, depth {}, {} ms",
        found.states,
        found.generated,
        found.depth,
        began.elapsed().as_millis(),
    );
    for (property, way) in &found.violated {
        println!("  {property:?} after");
        way.iter().for_each(|action| println!("    {action}"));
    }
    found
}
