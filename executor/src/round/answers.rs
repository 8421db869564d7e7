//! Replies to users, which concern no other program: they are made where the program ran, and not one by one when the wave
//! ends.

use super::queue::{Effect, Queue};
use crate::{
    RoundError,
    state::{Answer, root::Outgoing},
};
use gear_exe_primitives::{
    ActorId, MessageId,
    message::{OutgoingMessage, ReplyCode, ReplyDetails},
    round::NativeReply,
};
use std::collections::VecDeque;

/// A reply on its way.
pub(super) struct Reply {
    pub(super) to: MessageId,
    /// Its own id, if it was computed.
    pub(super) id: Option<MessageId>,
    pub(super) source: ActorId,
    pub(super) code: ReplyCode,
    pub(super) payload: Vec<u8>,
    pub(super) value: u128,
    /// The most that its handling may burn.
    pub(super) gas_limit: Option<u64>,
    pub(super) answer: Answer,
    pub(super) native: bool,
}

impl Reply {
    /// The same to a user: what a native message is told, and what goes to Ethereum. One that is told by a receipt alone
    /// does not, unless it brings value.
    pub(super) fn for_user(mut self) -> (Option<NativeReply>, Option<OutgoingMessage>) {
        let is_all = self.native && self.answer == Answer::Receipt && self.value == 0;
        let told = self.native.then(|| NativeReply {
            message_id: self.to,
            payload: match is_all {
                true => std::mem::take(&mut self.payload),
                false => self.payload.clone(),
            },
        });
        let message = (!is_all).then(|| OutgoingMessage {
            id: self.id.unwrap_or_else(|| MessageId::reply(self.to)),
            destination: self.source.to_address_lossy(),
            payload: self.payload,
            value: self.value,
            reply_details: Some(ReplyDetails {
                to: self.to,
                code: self.code,
            }),
            call: self.answer == Answer::Call,
        });
        (told, message)
    }
}

/// Whether the directory tells users from programs: it does not know those that came into being since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Users {
    Known,
    Unknown,
}

/// Those that a program's queue has made.
#[derive(Default)]
pub(super) struct Answers {
    /// To native messages.
    pub(super) native: Vec<NativeReply>,
    /// For Ethereum, as far as they stand before everything else that the program may send there.
    pub(super) outgoing: VecDeque<Outgoing>,
}

impl Queue<'_> {
    /// Sends a reply: to a user at once, as far as nobody could see that it comes before the effects.
    pub(super) fn answer(&mut self, mut reply: Reply) -> Result<(), RoundError> {
        if self.users == Users::Unknown || self.directory.is_program(reply.source)? {
            self.result.effects.push(Effect::Reply(reply));
            return Ok(());
        }
        let answers = &mut self.result.answers;
        if self.sends && reply.native {
            // It is told here; what goes to Ethereum keeps its place behind what was sent.
            let is_all = reply.answer == Answer::Receipt && reply.value == 0;
            answers.native.push(NativeReply {
                message_id: reply.to,
                payload: reply.payload.clone(),
            });
            reply.native = false;
            if is_all {
                return Ok(());
            }
        }
        if self.sends {
            self.result.effects.push(Effect::Reply(reply));
            return Ok(());
        }
        let (told, message) = reply.for_user();
        answers.native.extend(told);
        answers.outgoing.extend(message.map(Outgoing::Reply));
        Ok(())
    }
}
