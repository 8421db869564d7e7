//! What must hold of anchors, and what must be possible so that this says something.

use super::{Anchors, Breach, State, View};
use crate::ethereum::Block;
use stateright::Property;

pub(super) fn all() -> Vec<Property<Anchors>> {
    vec![
        Property::always(
            "anchors are Ethereum's",
            |model: &Anchors, state: &State| {
                !model.invented.contains(&state.anchor)
                    && !model.invented.contains(&state.finalised)
            },
        ),
        Property::always(
            "final is final on Ethereum, and below the anchor",
            |model: &Anchors, state: &State| {
                let tree = &model.tree;
                tree.is_ancestor_or_same(state.finalised, state.ethereum_final)
                    && tree.is_ancestor_or_same(state.finalised, state.anchor)
                    && state.breach != Some(Breach::FinalLeft)
            },
        ),
        Property::always(
            "anchors form a parent chain, but where honest validators see a conflict",
            |_, state: &State| state.breach != Some(Breach::Rewound),
        ),
        Property::always(
            "the anchor is not behind what all honest validators see",
            |_, state: &State| state.breach != Some(Breach::Behind),
        ),
        Property::always(
            "whatever Ethereum's head, the anchor can follow",
            |model: &Anchors, state: &State| {
                state.breach.is_some()
                    || heads(model, state).all(|head| follows(model, state, head))
            },
        ),
        Property::sometimes("a rewind", |model: &Anchors, state: &State| {
            model.lies().into_iter().any(|lie| {
                let after = model.count(state, lie);
                !model.tree.is_ancestor_or_same(state.anchor, after.anchor)
            })
        }),
        Property::sometimes(
            "a rewind to where no honest validator's head is",
            |model: &Anchors, state: &State| {
                model.lies().into_iter().any(|lie| {
                    let after = model.count(state, lie);
                    let is_tip = |view: View| view.tip == after.anchor;
                    !model.tree.is_ancestor_or_same(state.anchor, after.anchor)
                        && !state
                            .seats
                            .iter()
                            .filter_map(|seat| seat.on_chain)
                            .any(is_tip)
                })
            },
        ),
        Property::sometimes(
            "three different heads above the anchor",
            |model: &Anchors, state: &State| {
                let tree = &model.tree;
                let tips = tips(state);
                tips.len() == 3
                    && tips[0] != tips[1]
                    && tips[1] != tips[2]
                    && tips[0] != tips[2]
                    && state.anchor != 0
                    && tips.iter().all(|tip| {
                        *tip != state.anchor && tree.is_ancestor_or_same(state.anchor, *tip)
                    })
            },
        ),
        Property::sometimes(
            "a node is left on a branch that the chain knows to be lost",
            |model: &Anchors, state: &State| {
                tips(state)
                    .iter()
                    .any(|tip| model.tree.conflict(*tip, state.finalised))
            },
        ),
    ]
}

fn tips(state: &State) -> Vec<Block> {
    let views = state.seats.iter().filter_map(|seat| seat.on_chain);
    views.map(|view| view.tip).collect()
}

/// Where Ethereum may go on.
fn heads<'a>(model: &'a Anchors, state: &'a State) -> impl Iterator<Item = Block> + 'a {
    model
        .real()
        .filter(|head| model.tree.is_ancestor_or_same(state.ethereum_final, *head))
}

/// If the honest nodes are all at `head`, then so is the anchor, or above, and the chain knows what is final, whatever
/// the Byzantine validator says.
fn follows(model: &Anchors, state: &State, head: Block) -> bool {
    let mut fair = state.clone();
    for seat in &mut fair.seats {
        seat.on_chain = Some(View {
            tip: head,
            finalised: state.ethereum_final,
        });
        seat.newest = seat.on_chain;
    }
    model.lies().into_iter().all(|lie| {
        let after = model.count(&fair, lie);
        model.tree.is_ancestor_or_same(head, after.anchor)
            && after.finalised == state.ethereum_final
    })
}
