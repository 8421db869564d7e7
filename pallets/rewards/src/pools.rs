//! What pools earn reaches their members, without a list of them.
//!
//! A pool's stake is held by an account without a key. When a page is paid (`pages.rs`) in which that account is, the pool's
//! commission is credited to whom it names, as for VARA, and the rest belongs to the members by their points at that time:
//! a member that joined before the page is paid has its part of it, one that has unbonded has none, whatever they had in the
//! era that is paid. So does the pool with VARA, when `staking.payoutStakers` comes.
//!
//! **Arithmetic.** `PoolShares` says for each pool what a point has earned since the pool was founded, `MemberMarks` what it
//! had earned when a member was credited last. A member is owed `points × (per point − mark)`. Both are in units of
//! 10^-18 base units. What a point gets is rounded down; of what a pool earns, it keeps what that comes to for all points,
//! rounded up, and the rest returns to the income with the pot. So what is kept suffices for all members in whatever order
//! they come, and each loses less than a base unit whenever it is credited, and less than `points ÷ 10^18` whenever the pool
//! earns something. What the former leaves returns to the income when the pool is no more.
//!
//! **Who tells.** A member's points may change only after it was credited for those that it had. Whoever keeps the pools
//! calls
//!
//! * [`Pallet::settle_member`] before a member's points fall, and whenever else it is convenient: it credits what is due,
//!   and twice is as good as once;
//! * [`Pallet::note_pledge`] before somebody's points rise, or before it joins a pool;
//! * [`Pallet::settle_member`] once more after somebody has left its pool: its mark goes;
//! * [`Pallet::note_pool_gone`] when a pool is removed.
//!
//! Which those places are, the runtime says (`runtime/src/configs/pools.rs`). Slashes change what a point is worth, not how
//! many a member has: they change nothing here.
//!
//! **A member without mark** was there before its pool has earned anything, so it has its part of all. This is also so for
//! those who were in pools before this pallet knew of members.
//!
//! **Nobody's.** A pool of which all points are being unbonded, and one that is no more, earn nothing: that returns to the
//! income with the pot. What a member was credited stays until it claims it, also when it has left.

use crate::{
    Config, Credits, EraIndex, Event, Member, MemberMark, MemberMarks, Pallet, Payee, Payees as _,
    PoolId, PoolShare, PoolShares,
};
use gear_exe_primitives::U256;

/// Into how many parts a base unit is divided where `per_point` is counted.
pub const PARTS: u128 = 1_000_000_000_000_000_000;

/// `amount × part ÷ whole`, rounded down or up; nothing if there is no such number.
fn ratio(amount: u128, part: u128, whole: u128, up: bool) -> Option<u128> {
    let product = U256::from(amount).checked_mul(part.into())?;
    let mut quotient = product.checked_div(whole.into())?;
    if up && !product.checked_rem(whole.into())?.is_zero() {
        quotient = quotient.checked_add(U256::one())?;
    }
    quotient.try_into().ok()
}

impl PoolShare {
    /// Takes for `points` what it can of `amount`; nothing, and is as before, if numbers are too great. Returns how much.
    fn take(&mut self, amount: u128, points: u128) -> Option<u128> {
        let rise = ratio(amount, PARTS, points, false)?;
        let taken = ratio(rise, points, PARTS, true)?;
        *self = Self {
            per_point: self.per_point.checked_add(rise)?,
            left: self.left.checked_add(taken)?,
        };
        Some(taken)
    }

    /// What a member is owed that was credited up to `mark`.
    fn owed(&self, points: u128, mark: u128) -> u128 {
        let rise = self.per_point.saturating_sub(mark);
        ratio(rise, points, PARTS, false).unwrap_or_default()
    }
}

impl<T: Config> Pallet<T> {
    /// Gives a pool what it has earned: the commission first, the rest to its members. Returns how much of it was taken.
    pub(crate) fn credit_pool(
        era: EraIndex,
        account: &T::AccountId,
        id: PoolId,
        amount: u128,
    ) -> u128 {
        let Some(pool) = T::Payees::pool(id).filter(|pool| pool.points > 0) else {
            return 0;
        };
        // No pool takes another's commission: nobody would have it.
        let commission = pool
            .commission
            .filter(|(_, to)| T::Payees::payee(to) == Payee::Itself)
            .map_or(0, |(part, to)| {
                Self::credit_to(era, account, &to, part.mul_floor(amount))
            });
        let rest = amount.saturating_sub(commission);
        let mut share = PoolShares::<T>::get(id).unwrap_or_default();
        let taken = share.take(rest, pool.points).unwrap_or_default();
        if taken > 0 {
            PoolShares::<T>::insert(id, share);
            Self::deposit_event(Event::PoolEarned {
                era,
                pool: id,
                points: pool.points,
                amount: taken,
            });
        }
        commission.saturating_add(taken)
    }

    /// What is kept for the members of a member's pool, with what this one is owed of it; nothing if it is owed nothing.
    pub(crate) fn due(who: &T::AccountId, member: Member) -> Option<(PoolShare, u128)> {
        let share = PoolShares::<T>::get(member.pool)?;
        let mark = match MemberMarks::<T>::get(who) {
            Some(mark) if mark.pool == member.pool => mark.per_point,
            // Never: a mark goes with its member.
            Some(_) => share.per_point,
            None => 0,
        };
        (mark != share.per_point).then(|| (share, share.owed(member.points, mark)))
    }

    /// What `settle_member` would credit, in wVARA base units.
    pub fn pool_share(who: &T::AccountId) -> u128 {
        T::Payees::member(who)
            .and_then(|member| Self::due(who, member))
            .map_or(0, |(share, owed)| owed.min(share.left))
    }

    /// Credits what a member of a pool is owed; forgets who is in none. Called before a member's points change, and after
    /// it has left; at any other time it does no harm. Returns what was credited, in wVARA base units.
    pub fn settle_member(who: &T::AccountId) -> u128 {
        let Some(member) = T::Payees::member(who) else {
            MemberMarks::<T>::remove(who);
            return 0;
        };
        let Some((mut share, owed)) = Self::due(who, member) else {
            return 0;
        };
        let Member { pool, .. } = member;
        let mark = MemberMark {
            pool,
            per_point: share.per_point,
        };
        MemberMarks::<T>::insert(who, mark);
        let amount = owed.min(share.left);
        if amount > 0 {
            share.left = share.left.saturating_sub(amount);
            PoolShares::<T>::insert(pool, share);
            Credits::<T>::mutate(who, |credit| *credit = credit.saturating_add(amount));
            Self::deposit_event(Event::ShareCredited {
                pool,
                member: who.clone(),
                amount,
            });
        }
        amount
    }

    /// Somebody is about to get points in a pool: a member gets more, or somebody joins, who has no part in what the pool
    /// has earned before.
    pub fn note_pledge(who: &T::AccountId, pool: PoolId) {
        if T::Payees::member(who).is_some() {
            Self::settle_member(who);
            return;
        }
        match PoolShares::<T>::get(pool) {
            Some(PoolShare { per_point, .. }) => {
                MemberMarks::<T>::insert(who, MemberMark { pool, per_point });
            }
            None => MemberMarks::<T>::remove(who),
        }
    }

    /// A pool is removed, which has no members any more: what rounding has left of its share is income of the next era.
    pub fn note_pool_gone(pool: PoolId) {
        let Some(PoolShare { left, .. }) = PoolShares::<T>::take(pool) else {
            return;
        };
        if left > 0 {
            Self::carry(left);
            Self::deposit_event(Event::PoolGone { pool, amount: left });
        }
    }
}
