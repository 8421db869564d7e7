//! A process of the network under test: its output in a file, killed with the test in any case.

use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Runs its arguments as a command, writes its process id into the file that comes first, and kills it when standard
/// input is closed: a test that is itself killed leaves nothing behind.
const GUARD: &str = r#"
file=$1; shift
exec 3<&0
"$@" </dev/null &
child=$!
echo "$child" >"$file"
(cat <&3 >/dev/null 2>&1; kill -9 "$child" 2>/dev/null) >/dev/null 2>&1 &
exec 3<&-
wait "$child"
"#;

/// How long anything that is waited for may take, at most.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running process.
#[derive(Debug)]
pub struct Process {
    guard: Child,
    name: String,
    log: PathBuf,
    pid_file: PathBuf,
    /// Length of the log when it started: what came before is not its own.
    from: usize,
    ended: bool,
}

impl Process {
    /// Starts `binary` with `arguments`. Its output is appended to `folder/<name>.log`.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(name: &str, binary: &Path, arguments: &[String], folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let pid_file = folder.join(format!("{name}.pid"));
        let _ = std::fs::remove_file(&pid_file);
        let out = File::options().create(true).append(true).open(&log)?;
        let from = usize::try_from(out.metadata()?.len())?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            // What a killed process leaves behind goes with the test.
            .env("TMPDIR", folder)
            // All nodes of all tests run the same runtime: it is compiled once.
            .env("GEAR_EXE_RUNTIME_CACHE", binary.with_file_name("runtimes"))
            .arg(&pid_file)
            .arg(binary)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            guard,
            name: name.to_owned(),
            log,
            pid_file,
            from,
            ended: false,
        })
    }

    /// Everything it, and those before it of the same name, have printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its output.
    pub fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Waits until a line of its output contains `text`, and returns what follows in it.
    ///
    /// # Errors
    ///
    /// If it ends before, or takes too long.
    pub async fn line(&mut self, text: &str) -> Result<String> {
        let began = tokio::time::Instant::now();
        loop {
            let ended = self.guard.try_wait()?;
            let output = self.output();
            let found = output
                .get(self.from..)
                .unwrap_or_default()
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
                .find_map(|line| Some(line.split_once(text)?.1.trim().to_owned()));
            if let Some(rest) = found {
                return Ok(rest);
            }
            if let Some(status) = ended {
                bail!("{} ended ({status}):\n{}", self.name, self.tail());
            }
            if began.elapsed() > PATIENCE {
                bail!("{} does not say `{text}`:\n{}", self.name, self.tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    /// `SIGKILL`, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// If its end cannot be awaited.
    pub fn kill(&mut self) -> Result<()> {
        self.end("-9")
    }

    /// `SIGTERM`, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// If its end cannot be awaited.
    pub fn terminate(&mut self) -> Result<()> {
        self.end("-15")
    }

    fn end(&mut self, signal: &str) -> Result<()> {
        self.signal(signal)?;
        // `wait` would close its input, at which the guard kills.
        let input = self.guard.stdin.take();
        self.guard.wait()?;
        drop(input);
        self.ended = true;
        Ok(())
    }

    /// Its process id, as the operating system knows it.
    ///
    /// # Errors
    ///
    /// If it has just been started, and has none yet.
    pub fn pid(&self) -> Result<u32> {
        let pid = std::fs::read_to_string(&self.pid_file).context("no process id yet")?;
        Ok(pid.trim().parse()?)
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let pid = std::fs::read_to_string(&self.pid_file).context("no process id yet")?;
        Command::new("kill")
            .args([signal, pid.trim()])
            .stderr(Stdio::null())
            .status()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended {
            // Its successor may have written the file with the process id already.
            return;
        }
        let _ = self.signal("-9");
        // Closes its input too, should the signal have come too early.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A port that nobody uses now.
///
/// # Errors
///
/// If there is none.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}

/// A binary of the workspace: beside this executable, or one folder above it.
///
/// # Errors
///
/// If it was not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "{name} is not built: cargo build --release -p gear-exe -p gear-exe-relayer, with the target folder of \
                 this test ({})",
                own.display()
            )
        })
}
