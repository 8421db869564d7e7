//! A small Ethereum: blocks with a branch that can be left, a Router that applies batches, wVARA, and a Middleware whose
//! vaults are slashed. It does what the contracts do as far as the chain can see it, and looks at each batch as the Router
//! does: parent, nonce, set, quorum, expiry, and that the anchor is its ancestor.

use super::common::{DOMAIN, first_anchor};
use gear_exe_primitives::{
    H160, H256, U256,
    batch::{AppliedBatch, Batch},
    ethereum::EthereumHeader,
    facts::{Burn, SlashFate},
    outbox::OutboxItem,
    quorum::{Member, is_quorum},
    report::ReadyBatch,
    restaking::VaultStake,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Seconds for which a slash can be vetoed.
pub const VETO: u64 = 2;
/// Seconds after a capture within which vaults pay.
pub const WINDOW: u64 = 44;
/// One part of a whole, in parts per billion.
const ONE: u128 = 1_000_000_000;

/// A slash as the Middleware knows it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub operator: H160,
    pub fraction: u32,
    pub capture: u64,
    pub asked: u64,
    /// How it has ended.
    pub fate: Option<SlashFate>,
}

/// What the contracts hold at a block.
#[derive(Clone, Default)]
pub struct State {
    /// The Router's last batch.
    pub applied: AppliedBatch,
    /// The members of the set that it holds.
    pub members: Vec<Member>,
    /// wVARA.
    pub supply: u128,
    /// Mints that were made.
    pub minted: BTreeSet<u64>,
    pub burns: Vec<Burn>,
    pub slashes: BTreeMap<u64, Request>,
    /// What vaults hold, by operator and vault: token and amount.
    pub vaults: BTreeMap<(H160, H160), (H160, u128)>,
    /// wVARA that was paid as rewards.
    pub rewards: u128,
    /// Eras of which the claims are known.
    pub roots: BTreeSet<u32>,
}

impl State {
    /// What vaults hold for these operators.
    pub fn stakes(&self, operators: &[H160]) -> Vec<VaultStake> {
        self.vaults
            .iter()
            .filter(|((operator, _), (_, amount))| operators.contains(operator) && *amount > 0)
            .map(|((operator, vault), (collateral, amount))| VaultStake {
                operator: *operator,
                vault: *vault,
                collateral: *collateral,
                amount: U256::from(*amount),
            })
            .collect()
    }

    fn apply(&mut self, batch: &Batch, now: u64, willing: bool) {
        for (number, item) in (self.applied.outbox_end..).zip(&batch.outbox) {
            assert!(number < batch.outbox_end);
            match item {
                OutboxItem::SetUpdate { set_id, members } if *set_id > self.applied.set_id => {
                    self.applied.set_id = *set_id;
                    self.members = members.clone();
                }
                OutboxItem::Mint { id, amount, .. } if self.minted.insert(*id) => {
                    self.supply += amount;
                }
                OutboxItem::Slash {
                    id,
                    operator,
                    fraction,
                    capture,
                } => {
                    let late = now > capture + WINDOW - VETO;
                    let request = Request {
                        operator: *operator,
                        fraction: *fraction,
                        capture: *capture,
                        asked: now,
                        fate: (late || !willing).then_some(SlashFate::Refused),
                    };
                    let known = self.slashes.insert(*id, request);
                    assert!(known.is_none(), "slash {id} came twice");
                }
                OutboxItem::SlashCancel { id } => {
                    // A cancellation never comes before its slash.
                    let request = self.slashes.get_mut(id).unwrap();
                    request.fate.get_or_insert(SlashFate::Vetoed);
                }
                OutboxItem::Rewards {
                    era,
                    operators_total,
                    vaults,
                    ..
                } => {
                    assert!(
                        *operators_total == 0 || self.roots.insert(*era),
                        "the claims of era {era} came twice"
                    );
                    self.rewards += operators_total;
                    self.rewards += vaults.iter().map(|vault| vault.amount).sum::<u128>();
                }
                _ => {}
            }
        }
        self.applied = AppliedBatch {
            nonce: batch.header.nonce,
            digest: batch.header.digest(&DOMAIN),
            seal_number: batch.header.seal_number,
            seal_hash: batch.header.seal_hash,
            last_round: batch.header.last_round,
            last_round_hash: batch.header.last_round_hash,
            outbox_end: batch.outbox_end,
            set_id: self.applied.set_id,
            spent: self.applied.spent + batch.spent,
        };
        assert!(
            self.rewards <= self.applied.spent,
            "more rewards than programs have paid"
        );
    }

    /// Somebody executes what can be executed; what nobody has executed in time is over.
    fn execute(&mut self, now: u64, somebody: bool) {
        let open: Vec<_> = self
            .slashes
            .iter()
            .filter(|(_, request)| request.fate.is_none())
            .map(|(id, request)| (request.capture, *id))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for (capture, id) in &open {
            let request = self.slashes[id];
            let fate = if now > capture + WINDOW {
                SlashFate::Refused
            } else if somebody && now >= request.asked + VETO {
                for ((operator, _), (_, amount)) in &mut self.vaults {
                    if *operator == request.operator {
                        *amount -= *amount / ONE * u128::from(request.fraction);
                    }
                }
                SlashFate::Executed
            } else {
                continue;
            };
            self.slashes.get_mut(id).unwrap().fate = Some(fate);
        }
    }
}

/// A block.
pub struct Block {
    pub header: EthereumHeader,
    pub rlp: Vec<u8>,
    pub state: State,
}

/// A batch that a relayer brings.
pub struct Carried {
    pub ready: ReadyBatch,
    pub batch: Batch,
    /// The set that signed.
    pub members: Vec<Member>,
}

/// The chain of blocks that is followed, and all that ever were.
pub struct Ethereum {
    pub blocks: Vec<Rc<Block>>,
    pub by_hash: BTreeMap<H256, Rc<Block>>,
    /// Index of the last final block.
    pub finalised: usize,
    /// Blocks between the head and the last final one; nothing if it does not finalise.
    pub depth: Option<usize>,
    /// Vaults take requests.
    pub willing: bool,
    /// Somebody executes slashes.
    pub somebody: bool,
    salt: u64,
    /// What happens in the next block.
    next: State,
}

fn header(parent: EthereumHeader, timestamp: u64, salt: u64) -> (EthereumHeader, Vec<u8>) {
    let mut stream = rlp::RlpStream::new_list(16);
    for field in 0..16 {
        match field {
            0 => stream.append(&parent.hash.as_bytes()),
            6 => stream.append(&[0u8; 256].as_slice()),
            7 | 9 | 10 | 15 => stream.append(&1u64),
            8 => stream.append(&(parent.number + 1)),
            11 => stream.append(&timestamp),
            12 => stream.append(&salt.to_be_bytes().as_slice()),
            14 => stream.append(&[0u8; 8].as_slice()),
            _ => stream.append(&[1u8; 32].as_slice()),
        };
    }
    let bytes = stream.out().to_vec();
    (EthereumHeader::decode_rlp(&bytes).unwrap(), bytes)
}

impl Ethereum {
    pub fn new(state: State) -> Self {
        let first = Rc::new(Block {
            header: first_anchor(),
            rlp: Vec::new(),
            state: state.clone(),
        });
        Self {
            by_hash: BTreeMap::from([(first.header.hash, first.clone())]),
            blocks: vec![first],
            finalised: 0,
            depth: Some(1),
            willing: true,
            somebody: true,
            salt: 0,
            next: state,
        }
    }

    pub fn head(&self) -> &Block {
        self.blocks.last().unwrap()
    }

    pub fn last_final(&self) -> &Block {
        &self.blocks[self.finalised]
    }

    /// A header that nobody has mined.
    pub fn invented(&self, parent: EthereumHeader) -> (EthereumHeader, Vec<u8>) {
        header(parent, parent.timestamp + 1, u64::MAX)
    }

    /// What happens in the next block.
    pub fn pending(&mut self) -> &mut State {
        &mut self.next
    }

    /// Whether the Router takes the batch in the next block.
    pub fn carry(&mut self, carried: &Carried, now: u64) -> bool {
        let header = &carried.batch.header;
        let before = &self.next.applied;
        let signed: Vec<_> = carried
            .members
            .iter()
            .enumerate()
            .filter(|(index, _)| {
                let byte = carried.ready.signers.get(index / 8).copied();
                byte.unwrap_or_default() >> (index % 8) & 1 == 1
            })
            .map(|(_, member)| member)
            .collect();
        let weight = |members: &[&Member]| -> u128 {
            members.iter().map(|member| u128::from(member.weight)).sum()
        };
        let all: Vec<_> = self.next.members.iter().collect();
        let taken = header.nonce == before.nonce + 1
            && header.parent == before.digest
            && header.set_id == before.set_id
            && header.expiry >= now
            && self
                .blocks
                .iter()
                .any(|block| block.header.hash == header.anchor_hash);
        if !taken {
            return false;
        }
        // What the chain calls ready the Router takes, if it comes in time.
        assert_eq!(
            carried.members, self.next.members,
            "the chain and the Router know the same set"
        );
        assert!(is_quorum(
            signed.len() as u32,
            all.len() as u32,
            weight(&signed),
            weight(&all)
        ));
        for (member, signature) in signed.iter().zip(&carried.ready.signatures) {
            assert_eq!(signature.recover(carried.ready.digest), Ok(member.address));
        }
        assert!(carried.batch.is_consistent());
        self.next.apply(&carried.batch, now, self.willing);
        true
    }

    /// The next block, at `now` or as soon after that as can be.
    pub fn mine(&mut self, now: u64) {
        let parent = self.head().header;
        let timestamp = now.max(parent.timestamp);
        self.next.execute(timestamp, self.somebody);
        let (header, rlp) = header(parent, timestamp, self.salt);
        let block = Rc::new(Block {
            header,
            rlp,
            state: self.next.clone(),
        });
        self.by_hash.insert(header.hash, block.clone());
        self.blocks.push(block);
        if let Some(depth) = self.depth {
            let deep = self.blocks.len().saturating_sub(1 + depth);
            self.finalised = self.finalised.max(deep);
        }
    }

    /// Another branch wins, from `deep` blocks below the head on, but not from below what is final.
    pub fn reorganise(&mut self, deep: usize, now: u64) {
        let kept = (self.blocks.len() - deep.min(self.blocks.len() - 1)).max(self.finalised + 1);
        let lost = self.blocks.len() - kept;
        self.blocks.truncate(kept);
        self.next = self.head().state.clone();
        self.salt += 1;
        for _ in 0..=lost {
            self.mine(now);
        }
    }
}
