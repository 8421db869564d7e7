//! What validators have said of rounds: counted, bounded, and searched for contradictions. Knows neither the network nor the
//! chain.

use codec::{Decode, Encode};
use gear_exe_primitives::{
    H160, H256,
    certificate::{Certificate, RoundStatement, Tally},
    quorum::Member,
    round::ChainBlock,
    signature::CompactSignature,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Blocks below and above the newest executed one for which statements are kept.
pub const WINDOW: u64 = 512;
/// Blocks of one number on which one validator's statements are kept: forks are rare and short.
const FORKS: usize = 8;

/// A validator's word on a round, as it goes over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedRound {
    /// What is said.
    pub statement: RoundStatement,
    /// The signer's place in the set `statement.set_id`.
    pub place: u32,
    /// Of the statement's digest.
    pub signature: CompactSignature,
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It counts.
    New,
    /// With it there is a quorum.
    Certified(Certificate),
    /// It was known, or there is a certificate without it.
    Known,
    /// Too far from the newest block, or more forks than are kept.
    Ignored,
    /// The validator has said something else of the same block before: both together are a fault.
    Contradiction(Box<SignedRound>),
    /// A quorum of the same set has said something else of the block before: a fault, if the quorum is right.
    Against(Box<Certificate>),
}

/// What is known of a block's round.
#[derive(Default)]
struct Page {
    /// By address, what was said first.
    said: HashMap<H160, SignedRound>,
    /// One for each outcome that somebody has signed.
    tallies: Vec<Tally>,
    certificate: Option<Certificate>,
    /// What this node has got: the block's set, and the outcome.
    own: Option<(u64, H256)>,
}

/// Whether what was said is against the certificate of the block.
fn is_against(said: &RoundStatement, certificate: &Certificate) -> bool {
    said.set_id == certificate.statement.set_id && *said != certificate.statement
}

/// The statements of all validators on recent rounds.
#[derive(Default)]
pub struct Book {
    newest: u64,
    pages: BTreeMap<u64, HashMap<H256, Page>>,
}

impl Book {
    /// The node has executed a block with this number: what lies far behind it is forgotten.
    pub fn advance(&mut self, newest: u64) {
        self.newest = self.newest.max(newest);
        let first = self.newest.saturating_sub(WINDOW);
        self.pages = self.pages.split_off(&first);
    }

    /// Number of the newest executed block.
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether statements on blocks with this number are kept.
    pub fn keeps(&self, number: u64) -> bool {
        number.abs_diff(self.newest) <= WINDOW
    }

    /// Takes a statement, whose signature is that of the member at its place.
    pub fn note(&mut self, signed: SignedRound, members: &Arc<[Member]>) -> Noted {
        let SignedRound {
            statement,
            place,
            signature,
        } = signed;
        let Some(member) = members.get(place as usize) else {
            return Noted::Ignored;
        };
        if !self.keeps(statement.block_number) {
            return Noted::Ignored;
        }
        let blocks = self.pages.entry(statement.block_number).or_default();
        let by = member.address;
        let elsewhere = blocks
            .iter()
            .filter(|(hash, page)| **hash != statement.block_hash && page.said.contains_key(&by))
            .count();
        if elsewhere >= FORKS {
            return Noted::Ignored;
        }
        let page = blocks.entry(statement.block_hash).or_default();
        if page
            .own
            .is_some_and(|(set_id, _)| set_id != statement.set_id)
        {
            return Noted::Ignored;
        }
        match page.said.get(&by) {
            Some(before) if before.statement == statement => return Noted::Known,
            Some(before) => return Noted::Contradiction(Box::new(*before)),
            None => {
                page.said.insert(by, signed);
            }
        }
        let of_outcome = |tally: &&mut Tally| *tally.statement() == statement;
        if !page
            .tallies
            .iter()
            .any(|tally| *tally.statement() == statement)
        {
            page.tallies.push(Tally::new(statement, members.len()));
        }
        let Some(tally) = page.tallies.iter_mut().find(of_outcome) else {
            return Noted::Ignored;
        };
        tally.add(place as usize, member, signature);
        match &page.certificate {
            Some(certificate) if is_against(&statement, certificate) => {
                return Noted::Against(Box::new(certificate.clone()));
            }
            Some(_) => return Noted::Known,
            None => {}
        }
        page.certificate = tally.certificate(members);
        match &page.certificate {
            Some(certificate) => Noted::Certified(certificate.clone()),
            None => Noted::New,
        }
    }

    /// What was said against the certificate of a recent block before there was one.
    pub fn against(&self, certificate: &Certificate) -> Vec<SignedRound> {
        let block = certificate.statement;
        let page = self
            .pages
            .get(&block.block_number)
            .and_then(|blocks| blocks.get(&block.block_hash));
        page.into_iter()
            .flat_map(|page| page.said.values())
            .filter(|signed| is_against(&signed.statement, certificate))
            .copied()
            .collect()
    }

    /// Notes what this node has got of a block that it has executed, which the set `set_id` certifies: from now on, nobody
    /// else does.
    pub fn execute(&mut self, number: u64, hash: H256, set_id: u64, outcome: H256) {
        if self.keeps(number) {
            let blocks = self.pages.entry(number).or_default();
            blocks.entry(hash).or_default().own = Some((set_id, outcome));
        }
    }

    /// What this node has got of a recent block, if a quorum of its set has got something else: the quorum's word with it.
    pub fn differs(&self, number: u64, hash: H256) -> Option<(H256, H256)> {
        let page = self.pages.get(&number)?.get(&hash)?;
        let decided = page.certificate.as_ref()?.statement;
        let (set_id, own) = page.own?;
        (set_id == decided.set_id && own != decided.outcome).then_some((own, decided.outcome))
    }

    /// How many of these blocks members of a set have signed, by place, and of how many: those that anybody of the set has.
    pub fn participation(
        &self,
        set_id: u64,
        members: usize,
        blocks: &[ChainBlock],
    ) -> (Vec<u64>, u64) {
        let (mut signed, mut of) = (vec![0; members], 0);
        for block in blocks {
            let pages = self.pages.get(&block.number);
            let Some(page) = pages.and_then(|pages| pages.get(&block.hash)) else {
                continue;
            };
            let of_set = |signed: &&SignedRound| signed.statement.set_id == set_id;
            let places = page.said.values().filter(of_set).map(|signed| signed.place);
            let mut anybody = false;
            for place in places {
                if let Some(signed) = signed.get_mut(place as usize) {
                    *signed += 1;
                    anybody = true;
                }
            }
            of += u64::from(anybody);
        }
        (signed, of)
    }

    /// The certificate of a recent block.
    pub fn certificate(&self, number: u64, hash: H256) -> Option<Certificate> {
        self.pages.get(&number)?.get(&hash)?.certificate.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        batch::RouterDomain, ethereum::BlockId, signature::address_of_secret,
    };

    const GENESIS: H256 = H256::repeat_byte(0x69);
    const DOMAIN: RouterDomain = RouterDomain {
        chain_id: 1,
        router: H160::repeat_byte(0x70),
    };

    fn members() -> Arc<[Member]> {
        (1u8..=4)
            .map(|seed| Member {
                address: address_of_secret(&[seed; 32]).unwrap(),
                weight: 10,
            })
            .collect()
    }

    fn said(place: u32, number: u64, hash: u8, outcome: u8) -> SignedRound {
        let statement = RoundStatement {
            set_id: 1,
            block_number: number,
            block_hash: H256::repeat_byte(hash),
            anchor: BlockId::default(),
            outcome: H256::repeat_byte(outcome),
        };
        let digest = statement.digest(GENESIS, &DOMAIN);
        let secret = [u8::try_from(place).unwrap() + 1; 32];
        SignedRound {
            statement,
            place,
            signature: CompactSignature::sign(&secret, digest).unwrap(),
        }
    }

    /// How many statements are kept.
    fn kept(book: &Book) -> usize {
        let blocks = book.pages.values().flat_map(HashMap::values);
        blocks.map(|page| page.said.len()).sum()
    }

    #[test]
    fn a_quorum_is_a_certificate_whoever_comes_late() {
        let (mut book, set) = (Book::default(), members());
        book.advance(7);
        assert_eq!(book.note(said(0, 7, 1, 1), &set), Noted::New);
        assert_eq!(book.note(said(0, 7, 1, 1), &set), Noted::Known);
        assert_eq!(book.note(said(3, 7, 1, 2), &set), Noted::New);
        assert_eq!(book.note(said(1, 7, 1, 1), &set), Noted::New);
        assert_eq!(book.certificate(7, H256::repeat_byte(1)), None);
        let Noted::Certified(certificate) = book.note(said(2, 7, 1, 1), &set) else {
            panic!("three of four are enough");
        };
        assert_eq!(certificate.verify(GENESIS, &DOMAIN, &set), Ok(()));
        assert_eq!(book.certificate(7, H256::repeat_byte(1)), Some(certificate));
        assert_eq!(kept(&book), 4);
    }

    #[test]
    fn two_outcomes_of_one_block_are_a_contradiction_and_two_blocks_are_none() {
        let (mut book, set) = (Book::default(), members());
        book.advance(7);
        let first = said(0, 7, 1, 1);
        assert_eq!(book.note(first, &set), Noted::New);
        assert_eq!(
            book.note(said(0, 7, 1, 2), &set),
            Noted::Contradiction(Box::new(first))
        );
        // The second does not count.
        assert_eq!(book.note(said(1, 7, 1, 2), &set), Noted::New);
        assert_eq!(book.note(said(2, 7, 1, 2), &set), Noted::New);
        assert_eq!(book.note(said(0, 7, 2, 2), &set), Noted::New);
    }

    #[test]
    fn what_is_said_against_a_certificate_is_found_whenever_it_comes() {
        let (mut book, set) = (Book::default(), members());
        book.advance(7);
        let early = said(3, 7, 1, 2);
        assert_eq!(book.note(early, &set), Noted::New);
        book.note(said(0, 7, 1, 1), &set);
        book.note(said(1, 7, 1, 1), &set);
        let Noted::Certified(certificate) = book.note(said(2, 7, 1, 1), &set) else {
            panic!("three of four are enough");
        };
        assert_eq!(book.against(&certificate), [early]);
        // Whoever comes later is told at once; another block has its own certificate.
        let set: Arc<[Member]> = set
            .iter()
            .copied()
            .chain([Member {
                address: address_of_secret(&[5; 32]).unwrap(),
                weight: 10,
            }])
            .collect();
        assert_eq!(
            book.note(said(4, 7, 1, 2), &set),
            Noted::Against(Box::new(certificate))
        );
        assert_eq!(book.note(said(4, 7, 2, 2), &set), Noted::New);
    }

    #[test]
    fn a_validator_in_two_sets_speaks_once() {
        let (mut book, set) = (Book::default(), members());
        book.advance(7);
        let first = said(0, 7, 1, 1);
        assert_eq!(book.note(first, &set), Noted::New);
        let mut second = first;
        second.statement.set_id = 2;
        assert_eq!(
            book.note(second, &set),
            Noted::Contradiction(Box::new(first))
        );
    }

    #[test]
    fn another_outcome_than_the_quorums_is_noticed_in_either_order() {
        let block = H256::repeat_byte(1);
        for own_first in [true, false] {
            let (mut book, set) = (Book::default(), members());
            book.advance(7);
            if own_first {
                book.execute(7, block, 1, H256::repeat_byte(9));
            }
            for place in 0..3 {
                assert_eq!(book.differs(7, block), None);
                book.note(said(place, 7, 1, 1), &set);
            }
            book.execute(7, block, 1, H256::repeat_byte(9));
            let differs = (H256::repeat_byte(9), H256::repeat_byte(1));
            assert_eq!(book.differs(7, block), Some(differs));
            book.execute(7, block, 1, H256::repeat_byte(1));
            assert_eq!(book.differs(7, block), None);
        }
    }

    #[test]
    fn a_quorum_of_another_set_certifies_nothing_and_stops_nobody() {
        let block = H256::repeat_byte(1);
        let (mut book, set) = (Book::default(), members());
        book.advance(7);
        book.execute(7, block, 2, H256::repeat_byte(9));
        for place in 0..4 {
            assert_eq!(book.note(said(place, 7, 1, 1), &set), Noted::Ignored);
        }
        // Before the block is there, nobody knows its set.
        let block = H256::repeat_byte(2);
        for place in 0..4 {
            book.note(said(place, 7, 2, 1), &set);
        }
        book.execute(7, block, 2, H256::repeat_byte(9));
        assert_eq!(book.differs(7, block), None);
    }

    #[test]
    fn who_takes_part_is_counted() {
        let (mut book, set) = (Book::default(), members());
        book.advance(8);
        for place in 0..4 {
            book.note(said(place, 7, 1, 1), &set);
        }
        book.note(said(1, 8, 2, 1), &set);
        // On a fork that nobody asks for.
        book.note(said(3, 8, 3, 1), &set);
        let block = |number, hash| ChainBlock {
            number,
            hash: H256::repeat_byte(hash),
        };
        let asked = [block(6, 9), block(7, 1), block(8, 2)];
        assert_eq!(book.participation(1, 4, &asked), (vec![1, 2, 1, 1], 2));
        assert_eq!(book.participation(2, 4, &asked), (vec![0; 4], 0));
    }

    #[test]
    fn nobody_fills_it() {
        let (mut book, set) = (Book::default(), members());
        book.advance(1_000);
        assert_eq!(
            book.note(said(0, 1_000 + WINDOW + 1, 1, 1), &set),
            Noted::Ignored
        );
        assert_eq!(book.note(said(0, 999 - WINDOW, 1, 1), &set), Noted::Ignored);
        assert_eq!(book.note(said(9, 1_000, 1, 1), &set), Noted::Ignored);
        for hash in 0..100 {
            book.note(said(0, 1_000, hash, 1), &set);
        }
        assert_eq!(kept(&book), FORKS);
        book.advance(1_000 + WINDOW);
        assert_eq!(kept(&book), FORKS);
        book.advance(1_001 + WINDOW);
        assert_eq!(kept(&book), 0);
    }
}
