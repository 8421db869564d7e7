//! Whether outbox items of rewards were taken: what the Middleware holds of them, and what the Router has paid in all.

use super::{AT_A_TIME, Failure, State};
use crate::{
    abi::{Middleware, Router},
    convert::{address, b256},
};
use alloy::primitives::{Address, U256};
use futures::{StreamExt as _, TryStreamExt as _};
use gear_exe_primitives::facts::{
    AskedRewards, Fact, FactsRequest, MAX_ASKED_REWARDS, RewardsFate, RewardsTrace,
};

impl State {
    /// What became of the items that are asked about. Each was applied or skipped before this block, as a whole.
    ///
    /// That the Middleware shows nothing of an item is not enough to say that it was skipped: the Router may name another
    /// one now than when it applied the item. So what was taken must be all that the Router has ever paid; otherwise there
    /// is no fact on the others.
    pub(super) async fn rewards(
        &self,
        router: Address,
        middleware: Option<Address>,
        request: &FactsRequest,
    ) -> Result<Vec<Fact>, Failure> {
        let items = request.rewards.iter().take(MAX_ASKED_REWARDS);
        let looked: Vec<(AskedRewards, bool)> = futures::stream::iter(items.copied())
            .map(|item| async move {
                let taken = match middleware {
                    Some(middleware) => self.is_taken(middleware, &item).await?,
                    None => false,
                };
                Ok::<_, Failure>((item, taken))
            })
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        let paid = self.ask(router, &Router::totalRewardsCall {}).await?;
        let explained = looked
            .iter()
            .filter(|(_, taken)| *taken)
            .fold(U256::from(request.delivered), |sum, (item, _)| {
                sum.saturating_add(U256::from(item.amount))
            });
        Ok(looked
            .into_iter()
            .filter(|(_, taken)| *taken || explained == paid)
            .map(|(AskedRewards { era, item, .. }, taken)| Fact::Rewards {
                era,
                item,
                fate: if taken {
                    RewardsFate::Taken
                } else {
                    RewardsFate::Skipped
                },
            })
            .collect())
    }

    async fn is_taken(&self, middleware: Address, item: &AskedRewards) -> Result<bool, Failure> {
        let era = item.era;
        Ok(match item.trace {
            RewardsTrace::Claims(root) => {
                let question = Middleware::eraRewardsCall { era };
                let held = self.ask(middleware, &question).await?;
                held.operatorsRoot == b256(root) && held.operatorsTotal == item.amount
            }
            RewardsTrace::Vault { vault, amount } => {
                let vault = address(vault);
                let question = Middleware::vaultRewardsCall { era, vault };
                self.ask(middleware, &question).await?.amount == amount
            }
        })
    }
}
