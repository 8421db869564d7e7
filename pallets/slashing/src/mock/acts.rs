//! What validators, reporters and governance do in tests.

use super::*;

pub fn slot(block: u64) -> u64 {
    1_000 + block
}

/// When the stake of an era is read: two blocks before its start.
pub fn capture(era: EraIndex) -> u64 {
    START + u64::from(era) * ERA * BLOCK_SECONDS - 2 * BLOCK_SECONDS
}

pub fn operator(validator: AccountId) -> H160 {
    H160::from_low_u64_be(0xe000 + validator)
}

pub fn secret(account: AccountId) -> [u8; 32] {
    [account as u8; 32]
}

pub fn address(account: AccountId) -> H160 {
    address_of_secret(&secret(account)).unwrap()
}

pub fn aura_pair(account: AccountId) -> sr25519::Pair {
    sr25519::Pair::from_seed(&secret(account))
}

pub fn keys_of(account: AccountId) -> SessionKeys {
    SessionKeys {
        aura: aura_pair(account).public().into(),
        ethereum: ecdsa::Pair::from_seed(&secret(account)).public().into(),
    }
}

pub fn seal_hash(number: u64) -> H256 {
    H256::from_low_u64_be(number ^ 0x5ea1_0000)
}

/// A batch for the seal in block `number`, of the set that votes now.
pub fn batch(number: u64, content: u8) -> BatchHeader {
    BatchHeader {
        genesis: GENESIS,
        seal_number: number,
        seal_hash: seal_hash(number),
        last_round: number,
        last_round_hash: seal_hash(number),
        nonce: 1,
        parent: H256::zero(),
        anchor_number: 9,
        anchor_hash: H256::repeat_byte(9),
        set_id: SetId::get(),
        content: H256::repeat_byte(content),
        expiry: 1_000,
    }
}

pub fn sign(account: AccountId, statement: SealStatement) -> SignedStatement {
    let digest = match statement {
        SealStatement::Batch(header) => header.digest(&DOMAIN),
        SealStatement::Empty(empty) => empty.digest(GENESIS),
    };
    SignedStatement {
        statement,
        signature: CompactSignature::sign(&secret(account), digest).unwrap(),
    }
}

pub fn sign_batch(account: AccountId, header: BatchHeader) -> SignedStatement {
    sign(account, SealStatement::Batch(header))
}

pub fn sign_empty(account: AccountId, number: u64) -> SignedStatement {
    let empty = EmptyBatch {
        set_id: SetId::get(),
        seal_number: number,
        seal_hash: seal_hash(number),
    };
    sign(account, SealStatement::Empty(empty))
}

/// `account` signs two batches for the seal in block `number`.
pub fn double_sign(account: AccountId, number: u64) -> EvidenceOf<Test> {
    Evidence::DoubleSign(DoubleSign {
        first: sign_batch(account, batch(number, 1)),
        second: sign_batch(account, batch(number, 2)),
    })
}

/// A header of block `number` for a slot, signed by `account`.
pub fn header(account: AccountId, number: u64, slot: u64, content: u8) -> Header {
    let pre =
        <DigestItem as CompatibleDigestItem<AuthoritySignature>>::aura_pre_digest(Slot::from(slot));
    let mut header = Header {
        parent_hash: H256::repeat_byte(1),
        number,
        state_root: H256::repeat_byte(content),
        extrinsics_root: H256::zero(),
        digest: Digest { logs: vec![pre] },
    };
    let seal = aura_pair(account).sign(header.hash().as_bytes());
    let seal = AuthoritySignature::from(seal);
    header.digest.push(DigestItem::aura_seal(seal));
    header
}

/// `account` signs two headers for the slot of block `number`.
pub fn headers(account: AccountId, number: u64) -> EquivocationProof<Header, AuraId> {
    EquivocationProof {
        offender: aura_pair(account).public().into(),
        slot: Slot::from(slot(number)),
        first_header: header(account, number, slot(number), 1),
        second_header: header(account, number, slot(number), 2),
    }
}

/// The proof that `account` owns its Aura key in the session that runs.
pub fn owner(account: AccountId) -> MembershipProof {
    let key = AuraId::from(aura_pair(account).public());
    Historical::prove((AuraId::ID, key)).unwrap()
}

pub fn two_headers(account: AccountId, number: u64) -> EvidenceOf<Test> {
    Evidence::TwoHeaders {
        equivocation: headers(account, number),
        owner: owner(account),
    }
}

/// A statement on the round of block `number`, of the set that votes now.
pub fn round(number: u64, outcome: u8) -> RoundStatement {
    RoundStatement {
        set_id: SetId::get(),
        block_number: number,
        block_hash: seal_hash(number),
        anchor: BlockId::default(),
        outcome: H256::repeat_byte(outcome),
    }
}

pub fn sign_round(account: AccountId, statement: RoundStatement) -> RoundSignature {
    let digest = statement.digest(GENESIS, &DOMAIN);
    RoundSignature {
        statement,
        signature: CompactSignature::sign(&secret(account), digest).unwrap(),
    }
}

/// `account` signs two statements on block `number`.
pub fn two_rounds(account: AccountId, number: u64) -> EvidenceOf<Test> {
    Evidence::TwoRounds(TwoRounds {
        first: sign_round(account, round(number, 1)),
        second: sign_round(account, round(number, 2)),
    })
}

/// A promise for block `number` in its slot, of the set that votes now.
pub fn promise(number: u64, outcome: u8) -> PromiseStatement {
    PromiseStatement {
        set_id: SetId::get(),
        slot: slot(number),
        block_hash: seal_hash(number),
        outcome: H256::repeat_byte(outcome),
    }
}

pub fn sign_promise(account: AccountId, statement: PromiseStatement) -> SignedPromise {
    let digest = statement.digest(GENESIS, &DOMAIN);
    SignedPromise {
        statement,
        signature: CompactSignature::sign(&secret(account), digest).unwrap(),
    }
}

/// `account` promises two outcomes of block `number`.
pub fn two_promises(account: AccountId, number: u64) -> EvidenceOf<Test> {
    Evidence::TwoPromises(TwoPromises {
        first: sign_promise(account, promise(number, 1)),
        second: sign_promise(account, promise(number, 2)),
    })
}

/// What these members of its set have signed, quorum or not.
pub fn certificate(statement: RoundStatement, signers: &[AccountId]) -> Certificate {
    let members = <Test as Config>::Seals::members(statement.set_id).unwrap();
    let mut signed: Vec<_> = signers
        .iter()
        .map(|who| {
            let place = members
                .iter()
                .position(|member| member.address == address(*who));
            (place.unwrap(), sign_round(*who, statement).signature)
        })
        .collect();
    signed.sort_by_key(|(place, _)| *place);
    Certificate {
        statement,
        signers: quorum::bitmap(signed.iter().map(|(place, _)| *place)),
        signatures: signed.iter().map(|(_, signature)| *signature).collect(),
    }
}

/// The first seven of ten: a quorum.
pub const QUORUM: [AccountId; 7] = [1, 2, 3, 4, 5, 6, 7];

/// `account` says of block `number` what the first seven do not.
pub fn wrong_round(account: AccountId, number: u64) -> EvidenceOf<Test> {
    Evidence::WrongRound(WrongRound {
        round: sign_round(account, round(number, 2)),
        certificate: certificate(round(number, 1), &QUORUM),
    })
}

/// `account` promises of block `number` what the first seven do not find.
pub fn broken_promise(account: AccountId, number: u64) -> EvidenceOf<Test> {
    Evidence::BrokenPromise(BrokenPromise {
        promise: sign_promise(account, promise(number, 2)),
        certificate: certificate(round(number, 1), &QUORUM),
    })
}

pub fn report(evidence: EvidenceOf<Test>) -> Result<(), sp_runtime::DispatchError> {
    Slashing::report(RuntimeOrigin::signed(REPORTER), Box::new(evidence))
        .map(|_| ())
        .map_err(|error| error.error)
}

pub fn cancel(id: u64) -> DispatchResult {
    Slashing::cancel(RuntimeOrigin::signed(CANCELLER), id)
}

/// An offence with a fraction of the test's choice.
pub struct Custom {
    pub offenders: Vec<AccountId>,
    pub session: SessionIndex,
    pub slot: u64,
    pub fraction: Perbill,
}

impl Custom {
    pub const KIND: Kind = *b"test:custom-kind";
}

impl Offence<Offender<Test>> for Custom {
    const ID: Kind = Self::KIND;
    type Slot = u64;

    fn offenders(&self) -> Vec<Offender<Test>> {
        self.offenders.iter().map(|who| (*who, ())).collect()
    }

    fn session_index(&self) -> SessionIndex {
        self.session
    }

    fn validator_set_count(&self) -> u32 {
        VALIDATORS as u32
    }

    fn slot(&self) -> u64 {
        self.slot
    }

    fn slash_fraction(&self, _: u32) -> Perbill {
        self.fraction
    }
}

/// `validator` commits an offence in `era`, worth so many percent.
pub fn offend(
    validator: AccountId,
    era: EraIndex,
    slot: u64,
    percent: u32,
) -> Result<(), OffenceError> {
    let offence = Custom {
        offenders: vec![validator],
        session: era * 3 + 1,
        slot,
        fraction: Perbill::from_percent(percent),
    };
    Reports::report_offence(vec![REPORTER], offence)
}
