//! The system calls of the Gear ABI.
//!
//! Each charges its fee before it does anything. A call that the program could have avoided tells its error by number;
//! a call against the contract (a pointer outside memory, a wait after a reply) ends the run.

mod control;
mod creating;
mod facts;
mod pages;
mod replying;
mod reserving;
mod sending;

use crate::{
    gas,
    run::{Guest, Host, Stop},
    vm::meter,
};
use gear_exe_primitives::{ActorId, ids::ETHEREUM_EVENT_ADDRESS, message::ReplyCode};
use wasmtime::{Caller, Linker, Result};

type Env<'a> = Caller<'a, Host>;

/// Errors that a program is told, by number.
mod code {
    pub const NOT_ENOUGH_GAS: u32 = 100;
    pub const NOT_ENOUGH_VALUE: u32 = 101;
    pub const TOO_BIG_READ: u32 = 103;
    pub const READ_WRONG_RANGE: u32 = 104;
    pub const NO_REPLY_CONTEXT: u32 = 105;
    pub const NO_SIGNAL_CONTEXT: u32 = 106;
    pub const NO_STATUS_CONTEXT: u32 = 107;
    pub const INCORRECT_ENTRY: u32 = 108;
    pub const TOO_BIG_MESSAGE: u32 = 300;
    pub const TOO_MANY_MESSAGES: u32 = 301;
    pub const DUPLICATE_REPLY: u32 = 302;
    pub const DUPLICATE_WAKING: u32 = 303;
    pub const LATE_ACCESS: u32 = 304;
    pub const OUT_OF_BOUNDS: u32 = 305;
    pub const INSUFFICIENT_VALUE: u32 = 307;
    pub const DUPLICATE_DEPOSIT: u32 = 309;
    pub const NO_MESSAGE_FOR_DEPOSIT: u32 = 310;
    pub const TOO_MANY_BYTES: u32 = 311;
    pub const BAD_OFFSET: u32 = 312;
    pub const BAD_LENGTH: u32 = 313;
    pub const NO_RESERVATION: u32 = 500;
    pub const TOO_MANY_RESERVATIONS: u32 = 501;
    pub const NO_RESERVATION_DURATION: u32 = 502;
    pub const NO_RESERVATION_AMOUNT: u32 = 503;
    pub const UNSUPPORTED: u32 = u32::MAX;
}

/// Defines every system call.
pub(crate) fn link(linker: &mut Linker<Host>) -> Result<()> {
    pages::link(linker)?;
    facts::link(linker)?;
    sending::link(linker)?;
    creating::link(linker)?;
    replying::link(linker)?;
    reserving::link(linker)?;
    control::link(linker)
}

/// Whether an actor id is one of those that get events and never answer.
pub(crate) fn is_event_destination(actor: ActorId) -> bool {
    actor == ActorId::zero() || actor.to_address() == Some(ETHEREUM_EVENT_ADDRESS)
}

fn fail<T>(code: ReplyCode) -> Result<T> {
    Err(Stop::Failed(code, Vec::new()).into())
}

/// Charges a fee, and with it those for the memory touched since the last charge. Small fees are only noted: the program
/// pays them with the next that is not, or when the run ends.
fn charge(env: &mut Env<'_>, amount: u64) -> Result<()> {
    let host = env.data_mut();
    let guest = host.guest.as_ref();
    let fees = guest.map_or(0, |guest| guest.tracker.with(|tracker| tracker.take_fees()));
    host.owed = host.owed.saturating_add(amount).saturating_add(fees);
    if host.owed <= host.credit {
        return Ok(());
    }
    pay(env)
}

/// Has the program pay what it owes.
fn pay(env: &mut Env<'_>) -> Result<()> {
    let owed = std::mem::take(&mut env.data_mut().owed);
    let owed = i64::try_from(owed).unwrap_or(i64::MAX);
    // The program itself may have gone below zero since it was last checked.
    let left = meter::left(&mut *env).saturating_sub(owed);
    meter::set(env, left)?;
    if left < 0 {
        return fail(ReplyCode::RAN_OUT_OF_GAS);
    }
    Ok(())
}

fn charge_bytes(env: &mut Env<'_>, count: u32) -> Result<()> {
    charge(env, gas::PER_BYTE * u64::from(count))
}

/// The memory. A program has no way to call before it is there.
fn guest<'a>(env: &'a Env<'_>) -> Result<&'a Guest> {
    env.data()
        .guest
        .as_ref()
        .map_or_else(|| fail(ReplyCode::BACKEND_ERROR), Ok)
}

/// A range of memory, open for reading.
fn opened<'a>(env: &'a Env<'_>, at: u32, length: u32) -> Result<&'a [u8]> {
    let guest = guest(env)?;
    let start = at as usize;
    let range = start..start.saturating_add(length as usize);
    // The memory is one slice, but only what is open may be looked at.
    let Some(bytes) = guest.memory.data(env).get(range) else {
        return fail(ReplyCode::BACKEND_ERROR);
    };
    let length = bytes.len();
    match guest
        .tracker
        .with(|tracker| tracker.touch(at, length, false))
    {
        true => Ok(bytes),
        false => fail(ReplyCode::RAN_OUT_OF_GAS),
    }
}

fn slice(env: &mut Env<'_>, at: u32, length: u32) -> Result<Vec<u8>> {
    charge_bytes(env, length)?;
    Ok(opened(env, at, length)?.to_vec())
}

fn array<const N: usize>(env: &mut Env<'_>, at: u32) -> Result<[u8; N]> {
    charge_bytes(env, N as u32)?;
    let mut out = [0; N];
    out.copy_from_slice(opened(env, at, N as u32)?);
    Ok(out)
}

fn write(env: &mut Env<'_>, at: u32, bytes: &[u8]) -> Result<()> {
    charge_bytes(env, bytes.len() as u32)?;
    let (memory, start) = (guest(env)?.memory, at as usize);
    let (data, host) = memory.data_and_store_mut(&mut *env);
    let Some(place) = data.get_mut(start..start.saturating_add(bytes.len())) else {
        return fail(ReplyCode::BACKEND_ERROR);
    };
    let guest = host.guest.as_ref();
    let open = guest.is_some_and(|guest| {
        guest
            .tracker
            .with(|tracker| tracker.touch(at, bytes.len(), true))
    });
    if !open {
        return fail(ReplyCode::RAN_OUT_OF_GAS);
    }
    place.copy_from_slice(bytes);
    Ok(())
}

/// What a fallible call writes at its last pointer: the error number and, in place of a result that is not there,
/// `length` zero bytes.
fn answer(env: &mut Env<'_>, at: u32, result: Result<Vec<u8>, u32>, length: usize) -> Result<()> {
    let (error, tail) = match result {
        Ok(tail) => (0, tail),
        Err(error) => (error, vec![0; length]),
    };
    write(env, at, &[&error.to_le_bytes()[..], &tail].concat())
}

/// An id with a value behind it.
fn id_and_value(env: &mut Env<'_>, at: u32) -> Result<([u8; 32], u128)> {
    let bytes: [u8; 48] = array(env, at)?;
    let (mut id, mut value) = ([0; 32], [0; 16]);
    id.copy_from_slice(&bytes[..32]);
    value.copy_from_slice(&bytes[32..]);
    Ok((id, u128::from_le_bytes(value)))
}

/// A value by pointer; the pointer `u32::MAX` stands for zero.
fn value_at(env: &mut Env<'_>, at: u32) -> Result<u128> {
    if at == u32::MAX {
        Ok(0)
    } else {
        Ok(u128::from_le_bytes(array(env, at)?))
    }
}

/// A slice of the message's own payload.
fn input_slice(env: &mut Env<'_>, offset: u32, length: u32) -> Result<Result<Vec<u8>, u32>> {
    charge_bytes(env, length)?;
    let payload = &env.data().input.payload;
    let Some(rest) = payload.get(offset as usize..) else {
        return Ok(Err(code::BAD_OFFSET));
    };
    Ok(rest
        .get(..length as usize)
        .map(<[u8]>::to_vec)
        .ok_or(code::BAD_LENGTH))
}

impl Host {
    /// Whether the program may send this many bytes more.
    fn fits(&self, length: usize) -> Result<(), u32> {
        let parameters = &self.parameters;
        if length as u64 > u64::from(parameters.max_payload_bytes) {
            return Err(code::TOO_BIG_MESSAGE);
        }
        let total = self.sent_bytes + self.held_bytes + length as u64;
        if total > u64::from(parameters.max_outgoing_bytes) {
            return Err(code::TOO_MANY_BYTES);
        }
        Ok(())
    }

    /// Whether a message to `to` may be this long: one to Ethereum must fit into a round. Many that do not fit into one
    /// round together are spread over several.
    fn fits_outward(&mut self, to: ActorId, length: usize) -> Result<(), u32> {
        let known = self.directory.as_ref();
        match known.map_or(Ok(false), |directory| directory.is_program(to)) {
            Ok(true) => Ok(()),
            Ok(false) if gas::Outward::message(length, false).fits(&self.parameters) => Ok(()),
            Ok(false) => Err(code::TOO_BIG_MESSAGE),
            Err(fault) => {
                self.fault = Some(fault);
                Err(code::UNSUPPORTED)
            }
        }
    }

    fn pay(&mut self, value: u128) -> Result<(), u32> {
        self.input.balance = self
            .input
            .balance
            .checked_sub(value)
            .ok_or(code::NOT_ENOUGH_VALUE)?;
        Ok(())
    }
}
