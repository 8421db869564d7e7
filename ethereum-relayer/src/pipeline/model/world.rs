//! Ethereum, its nodes' pools, the Router and the validators, as far as the pipeline can tell.

use super::*;
use fees::Market;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Us,
    Rival,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Batch(BatchFacts),
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Tx {
    pub(super) hash: H256,
    pub(super) from: Sender,
    pub(super) nonce: u64,
    pub(super) action: Action,
    pub(super) fees: Fees,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) hash: H256,
    pub(super) txs: Vec<Tx>,
}

/// What follows from a branch's transactions.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) router: RouterState,
    pub(super) nonces: [u64; 2],
    pub(super) applied: Vec<H256>,
    pub(super) reverted: usize,
    /// Gas-limit wei that transactions of ours took.
    pub(super) mined: BTreeMap<H256, bool>,
}

/// A branch that is not the canonical one now, with what its nodes' pools hold.
#[derive(Clone, Debug)]
struct Branch {
    blocks: Vec<Block>,
    pool: Vec<Tx>,
}

pub(super) fn hash(parts: &[u64]) -> H256 {
    keccak256(parts.iter().map(|part| part.to_be_bytes()))
}

#[derive(Default)]
pub(super) struct World {
    pub(super) blocks: Vec<Block>,
    pub(super) pool: Vec<Tx>,
    pub(super) base_fee: u128,
    pub(super) balance: u128,
    pub(super) signed: Vec<BatchFacts>,
    /// Batches that fit nowhere.
    pub(super) strays: Vec<BatchFacts>,
    /// The chain reports only what is not final yet, as the real one does.
    pub(super) honest: bool,
    /// By digest: the block that must be an ancestor.
    pub(super) anchors: BTreeMap<H256, H256>,
    pub(super) counter: u64,
    /// Branches that Ethereum has left, and may come back to.
    others: Vec<Branch>,
    /// A branch won that does not hold what was final on another: a test chain was set back.
    pub(super) set_back: bool,
    /// Things that happened for which a wasted transaction is excused.
    pub(super) excuses: usize,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            base_fee: GWEI,
            balance: u128::MAX,
            blocks: vec![Block {
                hash: hash(&[0]),
                txs: Vec::new(),
            }],
            ..Self::default()
        }
    }

    pub(super) fn ledger(&self, blocks: usize) -> Ledger {
        let mut ledger = Ledger::default();
        for (number, block) in self.blocks[..blocks].iter().enumerate() {
            let is_ancestor = |anchor| {
                let mut before = self.blocks[..number].iter();
                before.any(|block| block.hash == anchor)
            };
            for tx in &block.txs {
                ledger.nonces[tx.from as usize] += 1;
                let success = match tx.action {
                    Action::Nothing => true,
                    Action::Batch(batch) => {
                        let fits = batch.nonce == ledger.router.nonce + 1
                            && batch.parent == ledger.router.digest
                            && is_ancestor(self.anchors[&batch.digest]);
                        if fits {
                            ledger.router.nonce = batch.nonce;
                            ledger.router.digest = batch.digest;
                            ledger.applied.push(batch.digest);
                        } else if tx.from == Sender::Us {
                            ledger.reverted += 1;
                        }
                        fits
                    }
                };
                ledger.mined.insert(tx.hash, success);
            }
        }
        ledger
    }

    pub(super) fn on_branch(&self, digest: H256) -> bool {
        let anchor = self.anchors[&digest];
        self.blocks.iter().any(|block| block.hash == anchor)
    }

    /// Number of the batch's anchor, whichever branch it is on.
    fn anchor_number(&self, digest: H256) -> usize {
        let branches = self.others.iter().map(|branch| &branch.blocks);
        std::iter::once(&self.blocks)
            .chain(branches)
            .find_map(|blocks| {
                blocks
                    .iter()
                    .position(|block| block.hash == self.anchors[&digest])
            })
            .unwrap_or_default()
    }

    /// Why the Router would refuse a batch in the block after the head, in the order of its checks.
    pub(super) fn refusal(&self, batch: &BatchFacts) -> Option<RefusalClass> {
        let router = self.head().router;
        if batch.nonce <= router.nonce {
            Some(RefusalClass::Already)
        } else if batch.nonce > router.nonce + 1 {
            Some(RefusalClass::Early)
        } else if batch.parent != router.digest {
            Some(RefusalClass::Stale)
        } else if self.on_branch(batch.digest) {
            None
        } else if self.anchor_number(batch.digest) >= self.blocks.len() {
            // Nobody can tell that from a node that lags.
            Some(RefusalClass::Early)
        } else {
            Some(RefusalClass::Stale)
        }
    }

    pub(super) fn head(&self) -> Ledger {
        self.ledger(self.blocks.len())
    }

    pub(super) fn finalised(&self) -> Ledger {
        self.ledger(self.blocks.len().saturating_sub(FINALITY).max(1))
    }

    pub(super) fn mine(&mut self) {
        let mut nonces = self.head().nonces;
        let mut txs = Vec::new();
        self.pool.sort_by_key(|tx| tx.nonce);
        for tx in &self.pool {
            let nonce = &mut nonces[tx.from as usize];
            if tx.nonce == *nonce && tx.fees.max_fee >= self.base_fee {
                *nonce += 1;
                txs.push(*tx);
            }
        }
        self.pool.retain(|tx| tx.nonce >= nonces[tx.from as usize]);
        self.counter += 1;
        self.blocks.push(Block {
            hash: hash(&[1, self.counter]),
            txs,
        });
    }

    pub(super) fn reorg(&mut self, depth: usize, lose: bool) {
        // Ethereum never takes back what is final.
        let depth = depth.min(FINALITY - 1).min(self.blocks.len() - 1);
        let removed = self.blocks.split_off(self.blocks.len() - depth);
        if depth > 0 {
            self.excuses += 1;
        }
        if !lose {
            for tx in removed.into_iter().flat_map(|block| block.txs) {
                let _ = self.add(tx);
            }
        }
        for _ in 0..depth {
            self.counter += 1;
            self.blocks.push(Block {
                hash: hash(&[1, self.counter]),
                txs: Vec::new(),
            });
        }
    }

    /// Another branch wins that begins `depth` blocks below the head. It may be much shorter, and its nodes' pools may
    /// hold what is on the one that is left.
    pub(super) fn fork(&mut self, depth: usize, keeps_pool: bool) {
        let blocks = self.blocks[..self.blocks.len().saturating_sub(depth).max(1)].to_vec();
        let left = Branch {
            blocks: std::mem::replace(&mut self.blocks, blocks),
            pool: std::mem::take(&mut self.pool),
        };
        if keeps_pool {
            let removed = left.blocks[self.blocks.len()..].iter();
            for tx in removed.flat_map(|block| &block.txs).chain(&left.pool) {
                let _ = self.add(*tx);
            }
        }
        self.others.push(left);
        self.left();
        // Two branches differ from their first block on.
        self.mine();
    }

    /// A branch that was left wins again.
    pub(super) fn switch(&mut self, which: usize) {
        if self.others.is_empty() {
            return;
        }
        let which = which % self.others.len();
        let other = &mut self.others[which];
        std::mem::swap(&mut self.blocks, &mut other.blocks);
        std::mem::swap(&mut self.pool, &mut other.pool);
        self.left();
    }

    /// The newest of the others was canonical until now.
    fn left(&mut self) {
        self.excuses += 1;
        self.set_back = true;
    }

    /// A node's pool: one transaction per nonce, replaced by one that offers a tenth more.
    pub(super) fn add(&mut self, tx: Tx) -> Answer {
        if tx.nonce < self.head().nonces[tx.from as usize] {
            return Answer::NonceUsed;
        }
        if self.pool.iter().any(|known| known.hash == tx.hash) {
            return Answer::Taken;
        }
        if tx.from == Sender::Us && self.balance < tx.fees.max_fee * u128::from(GAS) {
            return Answer::NoFunds;
        }
        let rival = self
            .pool
            .iter()
            .position(|known| known.from == tx.from && known.nonce == tx.nonce);
        if let Some(at) = rival {
            let old = self.pool[at].fees;
            if tx.fees.max_fee * 100 < old.max_fee * 110 || tx.fees.tip * 100 < old.tip * 110 {
                return Answer::Underpriced;
            }
            self.pool.remove(at);
        }
        self.pool.push(tx);
        Answer::Taken
    }

    /// Validators sign a batch on what the Router holds `lag` blocks below the head, which is its anchor.
    pub(super) fn sign(&mut self, lag: usize, variant: u64) {
        let blocks = self.blocks.len().saturating_sub(lag).max(1);
        let router = self.ledger(blocks).router;
        let made =
            |batch: &BatchFacts| batch.parent == router.digest && self.on_branch(batch.digest);
        if router.nonce >= TARGET
            || self.signed.iter().filter(|batch| made(batch)).count() as u64 > variant
        {
            return;
        }
        let anchor = self.blocks[blocks - 1].hash;
        let digest = keccak256([
            router.digest.as_bytes(),
            anchor.as_bytes(),
            &[variant as u8],
        ]);
        if self.anchors.insert(digest, anchor).is_none() {
            self.signed.push(BatchFacts {
                digest,
                nonce: router.nonce + 1,
                parent: router.digest,
                set_id: 0,
                expiry: u64::MAX,
            });
        }
    }

    /// A batch for a Router that is far ahead of this one.
    pub(super) fn stray(&mut self, set_id: u64) {
        self.counter += 1;
        self.strays.push(BatchFacts {
            digest: hash(&[4, self.counter]),
            nonce: self.head().router.nonce + 1_000,
            parent: hash(&[5, self.counter]),
            set_id,
            expiry: u64::MAX,
        });
    }

    /// What the chain reports.
    pub(super) fn ready(&self) -> Vec<BatchFacts> {
        let settled = self.finalised().router.nonce;
        let signed = self.strays.iter().chain(&self.signed);
        signed
            .filter(|batch| !self.honest || batch.nonce > settled)
            .copied()
            .collect()
    }

    /// What a relayer reads that has last seen the head `previous`.
    pub(super) fn view(&self, tracked: &[H256], previous: Option<H256>) -> View {
        let (ledger, settled) = (self.head(), self.finalised());
        let block = |at: usize| Head {
            number: at as u64,
            hash: self.blocks[at].hash,
        };
        let head = block(self.blocks.len() - 1);
        let reorged =
            previous.is_some_and(|last| self.blocks.iter().all(|block| block.hash != last));
        let transactions = tracked
            .iter()
            .map(|hash| {
                let status = match ledger.mined.get(hash) {
                    Some(&success) => {
                        let at = self
                            .blocks
                            .iter()
                            .position(|block| block.txs.iter().any(|tx| tx.hash == *hash))
                            .unwrap();
                        TxStatus::Mined {
                            block: block(at),
                            success,
                            gas_used: GAS,
                        }
                    }
                    None if self.pool.iter().any(|tx| tx.hash == *hash) => TxStatus::Pending,
                    None => TxStatus::Unknown,
                };
                (*hash, status)
            })
            .collect();
        View {
            head,
            timestamp: 1,
            finalised: block((self.blocks.len() - 1).saturating_sub(FINALITY)),
            router: ledger.router,
            settled: settled.router,
            nonce: ledger.nonces[0],
            settled_nonce: settled.nonces[0],
            balance: self.balance,
            market: Market {
                base_fee: self.base_fee,
                tip: GWEI / 100,
            },
            reorged,
            transactions,
        }
    }
}
