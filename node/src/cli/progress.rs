//! A line on standard error that says what is waited for, and for how long already.
//!
//! On a terminal it is one line that changes; otherwise each stage is one line when it ends.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinHandle};

/// The line. It ends with [`Progress::finish`] or when it is dropped.
#[derive(Debug)]
pub struct Progress {
    stage: watch::Sender<(String, Instant)>,
    terminal: bool,
    task: JoinHandle<()>,
}

impl Progress {
    /// Begins with a first stage. Must be called on a tokio runtime.
    pub fn start(stage: impl Into<String>) -> Self {
        let (sender, receiver) = watch::channel((stage.into(), Instant::now()));
        let terminal = std::io::stderr().is_terminal();
        let task = tokio::spawn(async move {
            if !terminal {
                return;
            }
            let mut tick = tokio::time::interval(Duration::from_millis(200));
            loop {
                tick.tick().await;
                let (stage, since) = receiver.borrow().clone();
                write(&format!(
                    "\r\x1b[K{stage} … {:.1} s",
                    since.elapsed().as_secs_f32()
                ));
            }
        });
        Self {
            stage: sender,
            terminal,
            task,
        }
    }

    /// The current stage has ended; begins the next.
    pub fn stage(&self, next: impl Into<String>) {
        let (stage, since) = self.stage.send_replace((next.into(), Instant::now()));
        self.end(&stage, since);
    }

    /// The last stage has ended well.
    pub fn finish(&self) {
        self.task.abort();
        let (stage, since) = self.stage.borrow().clone();
        self.end(&stage, since);
    }

    fn end(&self, stage: &str, since: Instant) {
        let begin = if self.terminal { "\r\x1b[K" } else { "" };
        write(&format!(
            "{begin}{stage}: {:.1} s\n",
            since.elapsed().as_secs_f32()
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        if self.terminal {
            write("\r\x1b[K");
        }
    }
}

/// A closed standard error is no reason to fail.
fn write(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
