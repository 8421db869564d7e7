//! Calls that should not be: wrong origins, extreme numbers, wrong states. A named error, and no change.

use crate::{mock::*, *};
use codec::{Decode, Encode};
use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use gear_exe_primitives::evidence::OnFault;
use polkadot_sdk::{
    frame_support, frame_system,
    sp_runtime::{DispatchError, Perbill},
};

#[test]
fn origins() {
    run(|| {
        let evidence = Box::new(double_sign(3, System::block_number()));
        for origin in [RawOrigin::Root, RawOrigin::None, RawOrigin::Authorized] {
            assert_noop!(
                Slashing::report(origin.into(), evidence.clone()),
                DispatchError::BadOrigin
            );
        }
        for origin in [RawOrigin::Root, RawOrigin::None, RawOrigin::Signed(1)] {
            assert_noop!(
                Slashing::report_unsigned(origin.into(), evidence.clone()),
                DispatchError::BadOrigin
            );
        }
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        for origin in [RawOrigin::None, RawOrigin::Authorized, RawOrigin::Signed(3)] {
            assert_noop!(
                Slashing::cancel(origin.clone().into(), 0),
                DispatchError::BadOrigin
            );
            assert_noop!(
                Slashing::approve(origin.into(), 0),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn extreme_numbers() {
    run(|| {
        assert_noop!(cancel(u64::MAX), Error::<Test>::UnknownSlash);
        assert_noop!(
            Slashing::approve(root(), u64::MAX),
            Error::<Test>::UnknownSlash
        );
        Slashing::note_settled(u64::MAX);
        Slashing::note_settled(0);
        assert_eq!(SettledEnd::<Test>::get(), u64::MAX);
        let all = Perbill::one();
        Rules::set(SlashingParameters {
            double_sign_floor: all,
            absence_maximum: all,
            maximum_per_era: all,
            deferral: u32::MAX,
            window: u64::MAX,
            relay: u64::MAX,
            execution: u64::MAX,
            reporting: u64::MAX,
        });
        assert_ok!(report(double_sign(3, System::block_number())));
        assert_ok!(offend(4, 1, u64::MAX, 100).map_err(|_| ()));
        blocks(3);
        assert_ok!(cancel(1));
    });
}

#[test]
fn the_future_is_now() {
    run(|| {
        // A seal and a slot that are to come belong to the session that runs.
        assert_ok!(report(double_sign(3, u64::MAX)));
        assert_eq!(slash(0).era, active_era());
    });
}

#[test]
fn too_many_at_a_time() {
    run(|| {
        Rules::set(SlashingParameters {
            maximum_per_era: Perbill::one(),
            deferral: 1_000,
            ..rules()
        });
        for percent in 1..=MAX_OPEN {
            assert_ok!(offend(3, 1, percent.into(), percent).map_err(|_| ()));
        }
        assert_ok!(offend(3, 1, 1_000, 90).map_err(|_| ()));
        assert_eq!(NextId::<Test>::get(), u64::from(MAX_OPEN));
        assert!(
            events()
                .iter()
                .any(|event| matches!(event, Event::SlashDropped { validator: 3, .. }))
        );
        // It is not forgotten: when there is room the next one takes it along.
        assert_ok!(cancel(0));
        assert_ok!(offend(3, 1, 1_001, 80).map_err(|_| ()));
        let last = slash(MAX_OPEN.into());
        assert_eq!(last.fraction, Perbill::from_percent(80 - MAX_OPEN));
    });
}

#[test]
fn an_address_of_two_validators_pays_once() {
    run(|| {
        Addresses::mutate(|addresses| addresses.insert(4, operator(3)));
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        assert_ok!(report(double_sign(4, number)));
        // Both have offended, and the address has lost what two lose.
        assert_eq!(Slashing::lost(1, operator(3)), Perbill::from_percent(36));
    });
}

#[test]
fn settlement_without_validators() {
    run(|| {
        let before = Signers::<Test>::iter().count();
        <Slashing as OnFault<AccountId>>::on_session(50, Vec::new());
        assert_eq!(Signers::<Test>::iter().count(), before + 1);
        let mut signed = batch(System::block_number(), 1);
        signed.set_id = 50;
        let statement = sign_batch(3, signed);
        let mut other = signed;
        other.expiry += 1;
        let evidence = Evidence::DoubleSign(gear_exe_primitives::evidence::DoubleSign {
            first: statement,
            second: sign_batch(3, other),
        });
        assert_noop!(report(evidence), Error::<Test>::NotAMember);
        Signers::<Test>::remove(50);
    });
}

#[test]
fn cut_and_twisted_bytes_of_evidence_are_no_evidence() {
    run(|| {
        let number = System::block_number();
        let kinds = [
            double_sign(3, number),
            two_headers(3, number),
            two_rounds(3, number),
            two_promises(3, number),
        ];
        for (kind, evidence) in kinds.iter().enumerate() {
            let bytes = evidence.encode();
            for length in (0..bytes.len()).step_by(7) {
                assert!(EvidenceOf::<Test>::decode(&mut &bytes[..length]).is_err());
            }
            // One bit anywhere: it does not decode, or it proves nothing against anybody but who has signed.
            for place in 0..bytes.len() {
                let mut twisted = bytes.clone();
                twisted[place] ^= 1 << (place % 8);
                let Ok(evidence) = EvidenceOf::<Test>::decode(&mut &twisted[..]) else {
                    continue;
                };
                if let Ok(fault) = Slashing::prove(&evidence) {
                    panic!("kind {kind}, byte {place}: {:?}", fault.tag());
                }
            }
        }
        assert_eq!(NextId::<Test>::get(), 0);
    });
}
