//! What validators' nodes vote, each by what it sees of Ethereum so far; and what one says that lies.

use super::{
    common::{DOMAIN, transaction},
    ethereum::{Block, Ethereum},
};
use gear_exe_primitives::{
    H160, H256,
    batch::Batch,
    facts::{Burn, Fact, MAX_FACTS, SlashFate},
    host,
    round::ChainBlock,
    settlement::{SealFacts, SettledRound, build},
    signature::CompactSignature,
    stake_pages,
    vote::{EmptyBatch, FactsVote, RouterAt, SnapshotVote, View},
};
use gear_exe_runtime::{Execution, Executive, Runtime, RuntimeCall, Settlement, System};
use pallet_bridge::OpenSlashes;
use pallet_restaking::SnapshotState;
use polkadot_sdk::{
    frame_support::storage::{TransactionOutcome, with_transaction},
    sp_core::{Pair, ecdsa},
    sp_runtime::DispatchError,
};
use std::{collections::BTreeMap, sync::OnceLock};

/// Who may be a validator.
pub const NAMES: [&str; 6] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"];
/// The one that lies: never more than a minority.
pub const LIAR: usize = 3;

/// An Ethereum key of a validator.
pub struct Key {
    pair: ecdsa::Pair,
    pub address: H160,
}

impl Key {
    pub fn sign(&self, digest: H256) -> CompactSignature {
        CompactSignature::from_rsv(&self.pair.sign_prehashed(&digest.0).0).unwrap()
    }
}

/// The keys, in the order of the names.
pub fn keys() -> &'static [Key; 6] {
    static KEYS: OnceLock<[Key; 6]> = OnceLock::new();
    KEYS.get_or_init(|| {
        NAMES.map(|name| {
            let pair = ecdsa::Pair::from_string(&format!("//{name}"), None).unwrap();
            let address = host::address_of(&host::AuthorityId::from(pair.public())).unwrap();
            Key { pair, address }
        })
    })
}

/// How a validator's node is.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub awake: bool,
    /// Blocks by which its Ethereum node is behind.
    pub lag: usize,
}

/// What the liar says.
#[derive(Clone, Copy, Debug)]
pub enum Lie {
    /// It sees a block that nobody has mined.
    View,
    /// Vaults hold something else.
    Snapshot,
    /// A burn that there is not, or another one.
    Burn(u128),
    /// A slash ended otherwise.
    Fate(u8),
    /// Another batch for the newest seal.
    Batch(u8),
    /// A signature of nobody.
    Forged,
}

/// What validators work on: executed rounds, and the batches of seals.
#[derive(Default)]
pub struct Batches {
    /// A round per block. The hash of the last one may be unknown.
    pub rounds: Vec<SettledRound>,
    /// The outbox as it was in a seal block.
    items: BTreeMap<u64, Vec<gear_exe_primitives::outbox::OutboxItem>>,
    built: BTreeMap<u64, Batch>,
}

impl Batches {
    /// A block has ended in which programs have paid so much.
    pub fn note(&mut self, number: u64, hash: H256, spent: u128) {
        assert_eq!(self.rounds.len() as u64 + 1, number);
        self.rounds.push(SettledRound {
            block: ChainBlock { number, hash },
            transitions: Vec::new(),
            spent,
        });
        if let Some(seal) = pallet_settlement::Seals::<Runtime>::get(number) {
            let from = seal.router.outbox_end;
            let items = Settlement::outbox(from, seal.outbox_end);
            assert_eq!(items.len() as u64, seal.outbox_end - from);
            self.items.insert(number, items);
        }
    }

    /// The batch of a seal whose hash is known.
    pub fn of_seal(&mut self, number: u64) -> Option<&Batch> {
        let seal = pallet_settlement::Seals::<Runtime>::get(number)?;
        if seal.hash.is_zero() {
            return None;
        }
        if !self.built.contains_key(&number) {
            let hash = self.rounds[number as usize - 1].block.hash;
            assert_eq!(hash, seal.hash);
            let facts = SealFacts {
                genesis: Settlement::genesis_hash(),
                seal: ChainBlock { number, hash },
                anchor: seal.anchor,
                set_id: seal.set_id,
                router: seal.router,
                expiry: seal.expiry,
                limits: seal.limits,
            };
            let rounds = &self.rounds[seal.router.last_round as usize..number as usize];
            let batch = build(&facts, rounds.to_vec(), &self.items[&number]).unwrap();
            self.built.insert(number, batch);
        }
        self.built.get(&number)
    }

    pub fn built(&self, number: u64) -> Option<&Batch> {
        self.built.get(&number)
    }
}

/// The index of a validator in the set `id`.
pub fn index_in(id: u64, who: usize) -> Option<u32> {
    let members = Settlement::validator_set_at(id)?.members;
    let index = members
        .iter()
        .position(|member| member.address == keys()[who].address);
    index.map(|index| index as u32)
}

fn current() -> u64 {
    pallet_settlement::CurrentSet::<Runtime>::get()
}

/// A vote as a transaction; what is refused changes nothing. Returns whether it was taken.
pub fn submit(call: RuntimeCall) -> bool {
    let transaction = transaction(call);
    with_transaction(|| match Executive::apply_extrinsic(transaction) {
        Ok(Ok(())) => TransactionOutcome::Commit(Ok::<_, DispatchError>(true)),
        _ => TransactionOutcome::Rollback(Ok(false)),
    })
    .unwrap()
}

fn head_of(node: Node, ethereum: &Ethereum) -> (usize, usize) {
    let finalised = ethereum.finalised.saturating_sub(node.lag);
    let head = (ethereum.blocks.len() - 1).saturating_sub(node.lag);
    (head.max(finalised), finalised)
}

/// All that a node says now.
pub fn votes(
    who: usize,
    node: Node,
    ethereum: &Ethereum,
    batches: &mut Batches,
) -> Vec<RuntimeCall> {
    if !node.awake {
        return Vec::new();
    }
    let mut calls = seal_votes(who, batches);
    if let Some(index) = index_in(current(), who) {
        calls.extend(view(who, index, node, ethereum));
        calls.extend(snapshot(who, index, node, ethereum));
        calls.extend(facts(who, index, node, ethereum));
    }
    calls
}

fn view_call(who: usize, validator: u32, view: View, headers: &[Vec<u8>]) -> RuntimeCall {
    let headers: Vec<_> = headers
        .iter()
        .map(|header| header.clone().try_into().unwrap())
        .collect();
    RuntimeCall::Execution(pallet_execution::Call::submit_view {
        view,
        validator,
        headers: headers.try_into().unwrap(),
        signature: keys()[who].sign(view.digest(Settlement::genesis_hash())),
    })
}

fn router_at(block: &Block) -> RouterAt {
    RouterAt {
        block: block.header.id(),
        batch: block.state.applied,
    }
}

/// As `pallet-execution`'s off-chain worker does it.
fn view(who: usize, index: u32, node: Node, ethereum: &Ethereum) -> Option<RuntimeCall> {
    let (head, finalised) = head_of(node, ethereum);
    let known = ethereum.blocks[..=head]
        .iter()
        .rposition(|block| Execution::header(block.header.hash).is_some())?;
    let new = &ethereum.blocks[known + 1..=head.min(known + 32)];
    let tip = &ethereum.blocks[known + new.len()];
    let before = pallet_execution::Finalised::<Runtime>::get().id();
    let last = ethereum.blocks[finalised].header.id();
    let finalised = if (before.number..=tip.header.number).contains(&last.number) {
        last
    } else {
        before
    };
    if tip.header.number < finalised.number {
        return None;
    }
    let anchor = pallet_execution::Anchor::<Runtime>::get().id();
    let at_anchor = ethereum
        .by_hash
        .get(&anchor.hash)
        .map(|block| router_at(block));
    let at_tip = Some(router_at(tip));
    let known_at = pallet_settlement::Router::<Runtime>::get().block;
    let router = if tip.header.id() == anchor {
        at_anchor
    } else if known_at == anchor {
        at_tip
    } else {
        at_anchor.or(at_tip)
    };
    let view = View {
        set_id: current(),
        seq: System::block_number().into(),
        tip: tip.header.id(),
        finalised,
        router,
    };
    let said = pallet_execution::Views::<Runtime>::get(index);
    let news = said.is_none_or(|said| {
        (said.tip, said.finalised, said.router) != (view.tip, view.finalised, view.router)
    });
    let headers: Vec<_> = new.iter().map(|block| block.rlp.clone()).collect();
    news.then(|| view_call(who, index, view, &headers))
}

fn snapshot_call(who: usize, validator: u32, vote: SnapshotVote) -> RuntimeCall {
    RuntimeCall::Restaking(pallet_restaking::Call::submit_snapshot_vote {
        vote,
        validator,
        signature: keys()[who].sign(vote.digest(Settlement::genesis_hash())),
    })
}

/// The vote on the open snapshot, with the pages, as a node sees it that has the capture's block.
fn snapshot_vote(
    node: Node,
    ethereum: &Ethereum,
) -> Option<(SnapshotVote, Vec<stake_pages::StakePage>)> {
    let era = pallet_restaking::OpenEra::<Runtime>::get()?;
    let capture = pallet_restaking::Snapshots::<Runtime>::get(era)?.capture;
    let block = ethereum.by_hash.get(&capture.block.hash)?;
    let (head, _) = head_of(node, ethereum);
    if ethereum.blocks[head].header.number < capture.block.number {
        return None;
    }
    let operators = pallet_restaking::Eligible::<Runtime>::get().into_inner();
    let pages = stake_pages::pages(&operators, &block.state.stakes(&operators));
    let vote = SnapshotVote {
        set_id: current(),
        era,
        capture: capture.timestamp,
        root: stake_pages::root(era, capture.timestamp, &pages),
        pages: pages.len() as u32,
    };
    Some((vote, pages))
}

fn snapshot(who: usize, index: u32, node: Node, ethereum: &Ethereum) -> Option<RuntimeCall> {
    let (vote, pages) = snapshot_vote(node, ethereum)?;
    match pallet_restaking::Snapshots::<Runtime>::get(vote.era)?.state {
        SnapshotState::Voting => Some(snapshot_call(who, index, vote)),
        SnapshotState::Agreed { root, stored, .. } if root == vote.root => {
            let index = (0..vote.pages).find(|index| stored >> index & 1 == 0)?;
            Some(RuntimeCall::Restaking(
                pallet_restaking::Call::submit_page {
                    era: vote.era,
                    index,
                    page: pages[index as usize].clone(),
                    proof: stake_pages::proof(vote.era, vote.capture, &pages, index)?,
                },
            ))
        }
        _ => None,
    }
}

fn facts_call(who: usize, validator: u32, facts: Vec<Fact>) -> RuntimeCall {
    let vote = FactsVote {
        set_id: current(),
        facts,
    };
    let signature = keys()[who].sign(vote.digest(Settlement::genesis_hash()));
    RuntimeCall::Bridge(pallet_bridge::Call::submit_facts {
        vote,
        validator,
        signature,
    })
}

fn open_slashes() -> Vec<u64> {
    <Runtime as pallet_bridge::Config>::OpenSlashes::all()
}

fn facts(who: usize, index: u32, node: Node, ethereum: &Ethereum) -> Option<RuntimeCall> {
    let (_, finalised) = head_of(node, ethereum);
    let block = &ethereum.blocks[finalised];
    if block.header.number < pallet_execution::Finalised::<Runtime>::get().number {
        return None;
    }
    let next = pallet_bridge::NextBurn::<Runtime>::get() as usize;
    let burns = block.state.burns.iter().skip(next).take(16);
    let slashes = open_slashes().into_iter().filter_map(|id| {
        let fate = block.state.slashes.get(&id)?.fate?;
        Some(Fact::Slash { id, fate })
    });
    let mut facts: Vec<_> = burns.copied().map(Fact::Burn).chain(slashes).collect();
    facts.sort_unstable();
    if pallet_bridge::VotingSet::<Runtime>::get() == current() {
        let said = pallet_bridge::Votes::<Runtime>::get(index);
        facts.retain(|fact| said.iter().all(|other| other.subject() != fact.subject()));
    }
    facts.truncate(MAX_FACTS);
    (!facts.is_empty()).then(|| facts_call(who, index, facts))
}

/// A signature on a batch.
pub fn batch_call(
    who: usize,
    validator: u32,
    header: gear_exe_primitives::batch::BatchHeader,
) -> RuntimeCall {
    RuntimeCall::Settlement(pallet_settlement::Call::submit_batch_signature {
        header,
        validator,
        signature: keys()[who].sign(header.digest(&DOMAIN)),
    })
}

/// The statement that the seal's batch is empty.
pub fn empty_call(who: usize, validator: u32, empty: EmptyBatch) -> RuntimeCall {
    RuntimeCall::Settlement(pallet_settlement::Call::submit_empty {
        empty,
        validator,
        signature: keys()[who].sign(empty.digest(Settlement::genesis_hash())),
    })
}

fn seal_votes(who: usize, batches: &mut Batches) -> Vec<RuntimeCall> {
    let mut calls = Vec::new();
    for status in Settlement::seals() {
        let number = status.number;
        let Some(seal) = pallet_settlement::Seals::<Runtime>::get(number) else {
            continue;
        };
        let Some(index) = index_in(seal.set_id, who) else {
            continue;
        };
        if status.voted.contains(&index) {
            continue;
        }
        let Some(batch) = batches.of_seal(number) else {
            continue;
        };
        calls.push(if batch.is_empty() {
            let empty = EmptyBatch {
                set_id: seal.set_id,
                seal_number: number,
                seal_hash: seal.hash,
            };
            empty_call(who, index, empty)
        } else {
            batch_call(who, index, batch.header)
        });
    }
    calls
}

/// A false vote, if the liar is in a set in which it is a minority.
pub fn lie(lie: Lie, ethereum: &Ethereum, batches: &mut Batches) -> Option<RuntimeCall> {
    let honest = Node {
        awake: true,
        lag: 0,
    };
    let small = |id| Settlement::validator_set_at(id).is_none_or(|set| set.members.len() < 2);
    if let Lie::Batch(content) = lie {
        let number = *pallet_settlement::SealNumbers::<Runtime>::get().last()?;
        let seal = pallet_settlement::Seals::<Runtime>::get(number)?;
        let index = index_in(seal.set_id, LIAR)?;
        let mut header = batches.of_seal(number)?.header;
        header.content = H256::repeat_byte(content);
        return (!small(seal.set_id)).then(|| batch_call(LIAR, index, header));
    }
    let index = index_in(current(), LIAR)?;
    if small(current()) {
        return None;
    }
    match lie {
        Lie::View => {
            let (header, rlp) = ethereum.invented(pallet_execution::Anchor::<Runtime>::get());
            let view = View {
                set_id: current(),
                seq: System::block_number().into(),
                tip: header.id(),
                finalised: header.id(),
                router: Some(RouterAt {
                    block: header.id(),
                    batch: gear_exe_primitives::batch::AppliedBatch {
                        nonce: u64::MAX,
                        outbox_end: u64::MAX,
                        spent: u128::MAX,
                        ..Default::default()
                    },
                }),
            };
            Some(view_call(LIAR, index, view, &[rlp]))
        }
        Lie::Snapshot => {
            let (vote, _) = snapshot_vote(honest, ethereum)?;
            let root = H256::repeat_byte(1);
            Some(snapshot_call(
                LIAR,
                index,
                SnapshotVote {
                    root,
                    pages: 1,
                    ..vote
                },
            ))
        }
        Lie::Burn(amount) => {
            let number = pallet_bridge::NextBurn::<Runtime>::get();
            let account = H256::repeat_byte(0xdd);
            let burn = Burn {
                number,
                account,
                amount,
            };
            Some(facts_call(LIAR, index, vec![Fact::Burn(burn)]))
        }
        Lie::Fate(fate) => {
            let id = *open_slashes().first()?;
            let fates = [SlashFate::Executed, SlashFate::Vetoed, SlashFate::Refused];
            let fate = fates[usize::from(fate) % 3];
            Some(facts_call(LIAR, index, vec![Fact::Slash { id, fate }]))
        }
        Lie::Batch(_) => None,
        Lie::Forged => {
            let mut call = facts_call(
                LIAR,
                index,
                vec![Fact::Burn(Burn {
                    number: pallet_bridge::NextBurn::<Runtime>::get(),
                    account: H256::zero(),
                    amount: 1,
                })],
            );
            if let RuntimeCall::Bridge(pallet_bridge::Call::submit_facts { validator, .. }) =
                &mut call
            {
                *validator = (index + 1) % Settlement::validator_set().members.len() as u32;
            }
            Some(call)
        }
    }
}
