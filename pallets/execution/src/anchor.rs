//! Where the anchor stands: what a quorum's views have in common.

use crate::{
    Anchor, Config, Event, Finalised, OnRouter, Pallet, Rewound, Support, ValidatorSet as _, Views,
    highest_supported,
};
use alloc::{collections::BTreeSet, vec::Vec};
use gear_exe_primitives::{
    H256,
    ethereum::{BlockId, EthereumHeader},
    vote::View,
};

impl<T: Config> Pallet<T> {
    /// Moves anchor and finalised block by the views, and tells what the Router holds.
    pub(crate) fn count_views() {
        let members = T::Validators::members();
        let all = Support::of_all(&members);
        let views: Vec<_> = Views::<T>::iter()
            .filter_map(|(index, view)| Some((view, Support::of(members.get(index as usize)?))))
            .collect();
        Self::move_anchor(&views, all);
        Self::move_finalised(&views, all);
        Self::agree_on_router(&views, all);
    }

    fn supported(
        votes: impl IntoIterator<Item = (BlockId, Support)>,
        all: Support,
    ) -> Option<EthereumHeader> {
        let parent = |hash| Self::header(hash).map(|header| header.parent);
        let best = highest_supported(votes, all, parent)?;
        Self::header(best.hash)
    }

    /// Upwards to the highest block with a quorum's support; elsewhere only if a quorum's tips conflict with it.
    fn move_anchor(views: &[(View, Support)], all: Support) {
        let tips = views.iter().map(|(view, support)| (view.tip, *support));
        let Some(best) = Self::supported(tips, all) else {
            return;
        };
        let anchor = Anchor::<T>::get();
        if best.hash == anchor.hash {
            return;
        }
        let Some(fork) = Self::fork_of(anchor, best) else {
            return;
        };
        if fork.hash == anchor.hash {
            Self::set_anchor(anchor, best);
            Self::deposit_event(Event::AnchorMoved { anchor: best.id() });
            return;
        }
        // What a quorum has reported final stays.
        let above_final = fork.number >= Finalised::<T>::get().number;
        let conflict = fork.hash != best.hash || Self::conflicting(views, anchor, best, all);
        if above_final && conflict {
            Self::set_anchor(anchor, best);
            Rewound::<T>::put(true);
            Self::deposit_event(Event::AnchorRewound {
                from: anchor.id(),
                to: best.id(),
            });
        }
    }

    /// Whether a quorum's tips are neither ancestors nor descendants of `anchor`, of which `best` is an ancestor.
    ///
    /// All tips that count descend from `best`, so walks end there: what lies below says nothing against the anchor.
    /// (Where `best` itself conflicts with the anchor, so do all that support it, and nothing is left to ask.)
    fn conflicting(
        views: &[(View, Support)],
        anchor: EthereumHeader,
        best: EthereumHeader,
        all: Support,
    ) -> bool {
        let followed: BTreeSet<H256> =
            core::iter::successors(Some(anchor), |header| Self::header(header.parent))
                .take_while(|header| header.number >= best.number)
                .map(|header| header.hash)
                .collect();
        let against = views.iter().filter(|(view, _)| {
            view.tip.number > best.number
                && !followed.contains(&view.tip.hash)
                && !Self::header(view.tip.hash)
                    .is_some_and(|tip| Self::is_ancestor_or_same(anchor.id(), tip))
        });
        Support::sum(against.map(|(_, support)| *support)).is_quorum_of(all)
    }

    fn set_anchor(old: EthereumHeader, new: EthereumHeader) {
        Self::hold(new.hash);
        Anchor::<T>::put(new);
        Self::note_references(old, new);
        Self::release(old.hash);
    }

    /// Upwards along the anchor's branch. Never above the anchor, so that what is dropped below it is never needed.
    fn move_finalised(views: &[(View, Support)], all: Support) {
        let finalised = Finalised::<T>::get();
        let finals = views
            .iter()
            .filter(|(view, _)| {
                view.finalised.number > finalised.number
                    && Self::header(view.finalised.hash)
                        .is_some_and(|header| header.id() == view.finalised)
            })
            .map(|(view, support)| (view.finalised, *support));
        let Some(best) = Self::supported(finals, all) else {
            return;
        };
        let on_branch = best.number > finalised.number
            && Self::is_ancestor_or_same(best.id(), Anchor::<T>::get());
        if on_branch {
            Self::hold(best.hash);
            Self::release(finalised.hash);
            Finalised::<T>::put(best);
            Self::deposit_event(Event::EthereumFinalised { block: best.id() });
        }
    }

    fn agree_on_router(views: &[(View, Support)], all: Support) {
        let agreed = views
            .iter()
            .filter_map(|(view, _)| view.router)
            .find(|router| {
                let same = views
                    .iter()
                    .filter(|(view, _)| view.router.as_ref() == Some(router));
                Support::sum(same.map(|(_, support)| *support)).is_quorum_of(all)
            });
        if let Some(router) = agreed
            && Self::is_ancestor_or_same(router.block, Anchor::<T>::get())
        {
            T::OnRouter::agreed(router);
        }
    }
}
