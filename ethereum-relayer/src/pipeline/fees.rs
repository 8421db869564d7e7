//! EIP-1559 fees: what a first transaction offers, what its replacement offers, and when the cap says stop.

use codec::{Decode, Encode};

/// What a transaction offers, in wei per gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Fees {
    /// At most this in all.
    pub max_fee: u128,
    /// Of it, at most this to the block's builder.
    pub tip: u128,
}

/// What the market asks, in wei per gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Market {
    /// Base fee of the next block.
    pub base_fee: u128,
    /// A tip that lately was enough.
    pub tip: u128,
}

/// The cap is below what would be needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboveCap {
    /// What would have to be offered, in wei per gas.
    pub needed: u128,
}

/// A replacement must offer at least this much more than what it replaces, or nodes refuse it.
const BUMP_PERCENT: u128 = 10;

const fn raised(fee: u128) -> u128 {
    // Rounded up, so that one wei becomes two.
    fee.saturating_mul(100 + BUMP_PERCENT)
        .saturating_add(99)
        .saturating_div(100)
}

impl Market {
    /// Room for the base fee to double before the transaction is included.
    const fn offer(self) -> Fees {
        Fees {
            max_fee: self.base_fee.saturating_mul(2).saturating_add(self.tip),
            tip: self.tip,
        }
    }
}

/// What a new transaction has to outbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// Nothing.
    None,
    /// A transaction of ours that nodes hold: both of its fees.
    Held(Fees),
    /// A transaction that we do not know. These fees were not enough; which of the two was too low is unknown.
    Hidden(Fees),
}

/// Fees of a transaction that must outbid `rival`.
///
/// # Errors
///
/// [`AboveCap`] if what nodes would accept, or the next block needs, is above `cap`.
pub fn choose(rival: Rival, market: Market, cap: u128) -> Result<Fees, AboveCap> {
    let offer = market.offer();
    let least = match rival {
        Rival::None => Fees {
            max_fee: market.base_fee.saturating_add(market.tip),
            tip: market.tip,
        },
        Rival::Held(fees) => Fees {
            max_fee: raised(fees.max_fee).max(market.base_fee),
            tip: raised(fees.tip),
        },
        Rival::Hidden(fees) => Fees {
            max_fee: raised(fees.max_fee).min(cap).max(market.base_fee),
            tip: raised(fees.tip),
        },
    };
    if least.max_fee > cap || least.tip > cap {
        return Err(AboveCap {
            needed: least.max_fee.max(least.tip),
        });
    }
    let max_fee = offer.max_fee.max(least.max_fee).max(least.tip).min(cap);
    Ok(Fees {
        max_fee,
        tip: offer.tip.max(least.tip).min(max_fee),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GWEI: u128 = 1_000_000_000;

    fn market(base_fee: u128, tip: u128) -> Market {
        Market { base_fee, tip }
    }

    #[test]
    fn first_offer_leaves_room_up_to_the_cap() {
        let fees = choose(Rival::None, market(10 * GWEI, GWEI), 100 * GWEI);
        assert_eq!(
            fees,
            Ok(Fees {
                max_fee: 21 * GWEI,
                tip: GWEI
            })
        );
        let fees = choose(Rival::None, market(10 * GWEI, GWEI), 12 * GWEI);
        assert_eq!(
            fees,
            Ok(Fees {
                max_fee: 12 * GWEI,
                tip: GWEI
            })
        );
        assert_eq!(
            choose(Rival::None, market(10 * GWEI, GWEI), 10 * GWEI),
            Err(AboveCap { needed: 11 * GWEI })
        );
    }

    #[test]
    fn a_jump_of_the_base_fee_is_followed() {
        let first = choose(Rival::None, market(GWEI, 1), 100 * GWEI).unwrap();
        let second = choose(Rival::Held(first), market(5 * GWEI, 1), 100 * GWEI).unwrap();
        assert!(second.max_fee >= 10 * GWEI);
        assert_eq!(second.tip, 2);
        assert_eq!(
            choose(Rival::Held(first), market(101 * GWEI, 1), 100 * GWEI),
            Err(AboveCap { needed: 101 * GWEI })
        );
    }

    #[test]
    fn against_a_hidden_rival_the_tip_rises_even_at_the_cap() {
        let at_cap = Fees {
            max_fee: 100,
            tip: 10,
        };
        assert!(choose(Rival::Held(at_cap), market(50, 1), 100).is_err());
        assert_eq!(
            choose(Rival::Hidden(at_cap), market(50, 1), 100),
            Ok(Fees {
                max_fee: 100,
                tip: 11
            })
        );
        assert!(choose(Rival::Hidden(at_cap), market(101, 1), 100).is_err());
    }

    proptest! {
        #[test]
        fn a_replacement_is_accepted_and_below_the_cap(
            max_fee in 1u128..1 << 60,
            tip in 0u128..1 << 60,
            base_fee in 0u128..1 << 60,
            wanted in 0u128..1 << 60,
            cap in 1u128..1 << 61,
        ) {
            let old = Fees { max_fee, tip: tip.min(max_fee) };
            if let Ok(new) = choose(Rival::Held(old), market(base_fee, wanted), cap) {
                prop_assert!(new.max_fee * 100 >= old.max_fee * 110);
                prop_assert!(new.tip * 100 >= old.tip * 110);
                prop_assert!(new.max_fee <= cap);
                prop_assert!(new.tip <= new.max_fee);
                prop_assert!(new.max_fee >= base_fee);
            }
        }
    }
}
