//! Verdicts on codes: votes per request, a result for Ethereum, and the codes that programs may be created from.

use crate::{
    AcceptedCodes, CodeAnswers, CodeVotes, Codes, Config, Error, Event, OpenVotes, Outbox as _,
    Pallet, Refusal, StoredVerdict, Support, ValidatorSet as _,
};
use frame_support::{ensure, pallet_prelude::*};
use gear_exe_primitives::{
    CodeId, H256,
    outbox::OutboxItem,
    signature::CompactSignature,
    vote::{CodeAnswer, CodeVote, Verdict},
    voters,
};
use polkadot_sdk::frame_support;

impl<T: Config> Pallet<T> {
    pub(crate) fn authorize_code_vote(
        _: TransactionSource,
        vote: &CodeVote,
        validator: &u32,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        let member = voters::voter::<T::Validators>(vote, *validator).map_err(Refusal::from)?;
        ensure!(vote.cursor <= T::Outbox::end(), Refusal::Cursor);
        ensure!(!Self::is_said(vote, *validator), Refusal::Decided);
        Self::ensure_may_speak(*validator)?;
        voters::ensure_signed::<T::Validators>(vote, &member, signature).map_err(Refusal::from)?;
        ValidTransaction::with_tag_prefix("gear-exe-code")
            .priority(1)
            .and_provides((vote, validator))
            .longevity(64)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// Whether the request is answered, or the validator has given this verdict already.
    ///
    /// An answer that the Router applied before the request was made does not count: the request came again. And a
    /// code that could not be had may turn up.
    pub(crate) fn is_said(vote: &CodeVote, validator: u32) -> bool {
        let answered = CodeAnswers::<T>::get(vote.code_id, vote.request_id).is_some_and(|answer| {
            let revised = answer.verdict == Verdict::Unavailable && vote.verdict != answer.verdict;
            answer.reaches(vote.cursor) && !revised
        });
        answered
            || CodeVotes::<T>::get(vote.code_id, vote.request_id)
                .iter()
                .any(|said| said.validator == validator && said.verdict == vote.verdict)
    }

    pub(crate) fn take_code_vote(vote: &CodeVote, validator: u32) -> DispatchResult {
        ensure!(!Self::is_said(vote, validator), Error::<T>::Decided);
        Self::note_spoken(validator);
        let (code_id, request_id) = (vote.code_id, vote.request_id);
        let mut votes = CodeVotes::<T>::get(code_id, request_id);
        let said = StoredVerdict {
            validator,
            verdict: vote.verdict,
        };
        let new = match votes.iter_mut().find(|said| said.validator == validator) {
            Some(before) => {
                *before = said;
                false
            }
            None => {
                votes.try_push(said).map_err(|_| Error::<T>::Decided)?;
                true
            }
        };

        let members = T::Validators::members();
        let same = votes
            .iter()
            .filter(|said| said.verdict == vote.verdict)
            .filter_map(|said| members.get(said.validator as usize));
        if Support::sum(same.map(Support::of)).is_quorum_of(Support::of_all(&members)) {
            Self::answer(code_id, request_id, vote.verdict)?;
            CodeVotes::<T>::remove(code_id, request_id);
            for said in votes {
                OpenVotes::<T>::mutate(said.validator, |open| {
                    open.retain(|request| *request != (code_id, request_id));
                });
            }
            return Ok(());
        }
        CodeVotes::<T>::insert(code_id, request_id, votes);
        if new {
            Self::note_open_vote(validator, (code_id, request_id));
        }
        Ok(())
    }

    /// Remembers an undecided vote; the validator's oldest one makes room.
    fn note_open_vote(validator: u32, request: (CodeId, H256)) {
        let dropped = OpenVotes::<T>::mutate(validator, |open| {
            let oldest = open.is_full().then(|| open.remove(0));
            let _ = open.try_push(request);
            oldest
        });
        if let Some((code_id, request_id)) = dropped {
            CodeVotes::<T>::mutate_exists(code_id, request_id, |votes| {
                if let Some(list) = votes {
                    list.retain(|said| said.validator != validator);
                    if list.is_empty() {
                        *votes = None;
                    }
                }
            });
        }
    }

    fn answer(code_id: CodeId, request_id: H256, verdict: Verdict) -> DispatchResult {
        let valid = verdict == Verdict::Valid;
        if valid {
            if !Codes::<T>::contains_key(code_id) {
                AcceptedCodes::<T>::try_append(code_id).map_err(|()| Error::<T>::TooManyCodes)?;
                Codes::<T>::insert(code_id, ());
            }
            Self::deposit_event(Event::CodeAccepted {
                code_id,
                request_id,
            });
        } else {
            Self::deposit_event(Event::CodeRefused {
                code_id,
                request_id,
                verdict,
            });
        }
        let item = T::Outbox::push(OutboxItem::CodeResult {
            code_id,
            request_id,
            valid,
        });
        CodeAnswers::<T>::insert(code_id, request_id, CodeAnswer { verdict, item });
        Ok(())
    }
}
