// SPDX-License-Identifier: GPL-3.0-or-later

//! The existing engine (`gtest` in its ethexe mode) behind a pipe: requests of `protocol` come in, responses go out.

use gear_exe_benchmarks_protocol::{Block, Bytes, Id, Message, Request, Response, Sent};
use gtest::ethexe::{Program, System};
use std::{
    error::Error,
    io::{self, BufRead, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// wVARA that is always enough.
const RICH: u128 = 1 << 100;

/// Nanoseconds of processor time that this process has used.
fn processor() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).unsigned_abs()
}

fn program(system: &System, id: Id) -> Result<Program<'_>, String> {
    system
        .get_program(id.0)
        .ok_or_else(|| "there is no such program".into())
}

fn create(system: &System, id: Id, code: Bytes, owned: u64) -> Result<Response, String> {
    let program = Program::from_binary_with_id(system, id.0, code.0);
    system.top_up_executable_balance(program.id(), RICH);
    system.top_up_balance(program.id(), owned.into());
    Ok(Response::Done)
}

/// What a timed request asks.
struct Timed {
    to: Vec<Id>,
    from: Id,
    payloads: Vec<Bytes>,
    count: usize,
    per_block: usize,
    native: bool,
}

fn timed(system: &System, request: &Timed) -> Result<Response, String> {
    let Timed {
        to,
        from,
        payloads,
        count,
        per_block,
        native,
    } = request;
    let programs = to
        .iter()
        .map(|id| program(system, *id))
        .collect::<Result<Vec<_>, _>>()?;
    let (wall, used) = (Instant::now(), processor());
    let (mut sent, mut succeeded) = (0, 0);
    while sent < *count || system.queue_len() > 0 {
        let until = count.min(&(sent + per_block)).to_owned();
        while sent < until {
            let destination = &programs[sent % programs.len()];
            let payload = payloads[sent % payloads.len()].0.as_slice();
            if *native {
                system.inject_message(destination.id(), from.0, payload, 0);
            } else {
                destination.send_bytes(from.0, payload);
            }
            sent += 1;
        }
        let result = system.run_next_block();
        if !result.failed.is_empty() || !result.not_executed.is_empty() {
            return Err("a message failed".into());
        }
        succeeded += result.succeed.len();
    }
    let took = Response::Took {
        processor: processor() - used,
        wall: u64::try_from(wall.elapsed().as_nanos()).unwrap_or(u64::MAX),
    };
    if succeeded < *count {
        return Err(format!("{succeeded} of {count} messages succeeded"));
    }
    Ok(took)
}

fn block(system: &System, messages: Vec<Message>) -> Result<Response, String> {
    let mut ids = Vec::new();
    for message in messages {
        let id = if message.native {
            let (to, from) = (message.to.0, message.from.0);
            system.inject_message(to, from, message.payload.0, message.value.into())
        } else {
            program(system, message.to)?.send_bytes_with_value(
                message.from.0,
                message.payload.0,
                message.value.into(),
            )
        };
        ids.push(Id(id.into_bytes()));
    }
    let result = system.run_next_block();
    let sent = result
        .log()
        .iter()
        .map(|log| Sent {
            id: Id(log.id().into_bytes()),
            from: Id(log.source().into_bytes()),
            to: Id(log.destination().into_bytes()),
            payload: Bytes(log.payload().to_vec()),
            reply: log
                .reply_to()
                .zip(log.reply_code())
                .map(|(to, code)| (Id(to.into_bytes()), code.to_bytes())),
        })
        .collect();
    let owned = system
        .programs()
        .iter()
        .map(|program| (Id(program.id().into_bytes()), program.balance()))
        .collect();
    Ok(Response::Block(Block {
        height: system.block_height(),
        ids,
        sent,
        owned,
    }))
}

fn answer(system: &mut Option<System>, request: Request) -> Result<Response, String> {
    if matches!(request, Request::Reset) {
        // One at a time: the old one has to go first.
        *system = None;
        *system = Some(System::new());
        return Ok(Response::Done);
    }
    let system = system.as_ref().ok_or("the first request has to be Reset")?;
    match request {
        Request::Reset => Ok(Response::Done),
        Request::Create { id, code, owned } => create(system, id, code, owned),
        Request::Timed {
            to,
            from,
            payloads,
            count,
            per_block,
            native,
        } => timed(
            system,
            &Timed {
                to,
                from,
                payloads,
                count,
                per_block,
                native,
            },
        ),
        Request::Block { messages } => block(system, messages),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut system = None;
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        // The engine panics on what it refuses.
        let response = catch_unwind(AssertUnwindSafe(|| answer(&mut system, request)))
            .map_or(Response::Crashed, |answer| {
                answer.unwrap_or_else(Response::Failed)
            });
        serde_json::to_writer(&mut output, &response)?;
        writeln!(output)?;
        output.flush()?;
    }
    Ok(())
}
