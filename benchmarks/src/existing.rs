// SPDX-License-Identifier: GPL-3.0-or-later

//! The existing engine, in a process of its own: see `existing-engine/`.

use crate::{Result, clock::Took};
use gear_exe_benchmarks_protocol::{Block, Bytes, Id, Message, Request, Response};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A running engine; it ends with this value.
pub struct Existing {
    process: Child,
    requests: ChildStdin,
    responses: BufReader<ChildStdout>,
}

/// Why there is no block.
#[derive(Debug)]
pub enum Failure {
    /// The engine panicked.
    Crashed,
    /// Something else.
    Other(Box<dyn std::error::Error>),
}

/// Where the engine's program is: beside this one, or one folder up, where tests find it.
fn path() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("gear-exe-existing-engine"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            "the existing engine is not built. Run: scripts/bench, or here: cargo build --release --workspace".into()
        })
}

impl Existing {
    /// Starts the engine, without programs.
    pub fn start() -> Result<Self> {
        let mut process = Command::new(path()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take().ok_or("no pipe")?;
        let responses = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        let mut engine = Self {
            process,
            requests,
            responses,
        };
        engine.reset()?;
        Ok(engine)
    }

    fn exchange(&mut self, request: &Request) -> Result<Response> {
        serde_json::to_writer(&mut self.requests, request)?;
        writeln!(self.requests)?;
        self.requests.flush()?;
        let mut line = String::new();
        if self.responses.read_line(&mut line)? == 0 {
            return Err("the existing engine's process has ended".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&mut self, request: &Request) -> Result<Response> {
        match self.exchange(request)? {
            Response::Crashed => Err("the existing engine panicked; its words are above".into()),
            Response::Failed(why) => Err(format!("the existing engine: {why}").into()),
            response => Ok(response),
        }
    }

    /// Forgets all programs.
    pub fn reset(&mut self) -> Result<()> {
        self.ask(&Request::Reset)?;
        Ok(())
    }

    /// A program that owns some ETH; its first message initialises it.
    pub fn create(&mut self, id: Id, code: &[u8], owned: u64) -> Result<()> {
        self.ask(&Request::Create {
            id,
            code: Bytes(code.to_vec()),
            owned,
        })?;
        Ok(())
    }

    /// Sends messages to programs in turns, so many for each block, and waits for all.
    pub fn answer(
        &mut self,
        native: bool,
        programs: &[Id],
        payloads: &[Vec<u8>],
        count: usize,
        per_block: usize,
    ) -> Result<Took> {
        let request = Request::Timed {
            to: programs.to_vec(),
            from: Id::of_address(crate::ours::USER.0),
            payloads: payloads.iter().cloned().map(Bytes).collect(),
            count,
            per_block,
            native,
        };
        match self.ask(&request)? {
            Response::Took { processor, wall } => Ok(Took {
                processor: processor as f64 / 1e9,
                wall: wall as f64 / 1e9,
            }),
            other => Err(format!("the existing engine answered {other:?}").into()),
        }
    }

    /// One block.
    pub fn block(&mut self, messages: Vec<Message>) -> Result<Block, Failure> {
        match self.exchange(&Request::Block { messages }) {
            Ok(Response::Block(block)) => Ok(block),
            Ok(Response::Crashed) => Err(Failure::Crashed),
            Ok(other) => Err(Failure::Other(
                format!("the existing engine answered {other:?}").into(),
            )),
            Err(error) => Err(Failure::Other(error)),
        }
    }

    /// How many messages in a block suit it best, of those that are tried with this work.
    pub fn best_block(
        &mut self,
        native: bool,
        programs: &[Id],
        payloads: &[Vec<u8>],
    ) -> Result<usize> {
        let mut best = (f64::MAX, 0);
        for per_block in [8, 16, 32, 64, 128] {
            let took = self.answer(native, programs, payloads, 512, per_block)?;
            if took.processor < best.0 {
                best = (took.processor, per_block);
            }
        }
        Ok(best.1)
    }
}

impl Drop for Existing {
    fn drop(&mut self) {
        // It ends by itself when its input does; if that takes time, nobody waits for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
