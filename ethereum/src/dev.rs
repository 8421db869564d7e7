//! An Ethereum node for development and tests: Anvil, which never outlives the process that started it.
//!
//! A shell stands between: it holds Anvil as its child and the reading end of a pipe whose writing end only the owner
//! has. When the owner drops the handle, panics or is killed, the kernel closes the pipe, and the shell ends Anvil:
//! first politely, so that it saves its state, then by force.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    time::Instant,
};

/// Runs `"$@"` until standard input ends, then ends it: with SIGTERM, and after five seconds with SIGKILL. Standard
/// output is closed in the shell itself, so that its reader sees the end of Anvil as the end of the output.
///
/// The lock is held by shell and Anvil, not by the owner: an owner that was killed and starts again at once waits here
/// until the state of its former Anvil is saved.
const KEEPER: &str = r#"
trap : INT TERM HUP
if [ -n "$GEAR_EXE_ANVIL_LOCK" ] && command -v flock >/dev/null; then
  exec 9>"$GEAR_EXE_ANVIL_LOCK"
  flock -w 20 9 || { echo "another anvil uses this state"; exit 1; }
fi
"$@" </dev/null 2>&1 &
child=$!
exec >&-
read -r _
kill -TERM $child 2>/dev/null
tries=0
while kill -0 $child 2>/dev/null && [ $tries -lt 50 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
kill -KILL $child 2>/dev/null
wait $child
"#;

/// How long a port may stay in use by a former Anvil that is being ended.
const PORT_PATIENCE: Duration = Duration::from_secs(6);

/// Keys of the accounts that Anvil endows. Everybody knows them.
pub const KEYS: [&str; 10] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
];

/// Longest wait for Anvil to come up or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why Anvil does not run.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// There is no binary.
    #[error(
        "anvil not found: set GEAR_EXE_ANVIL to the binary, or run scripts/setup, which installs it under \
         contracts/node_modules"
    )]
    NotFound,
    /// It could not be started.
    #[error("anvil could not be started: {0}")]
    Start(#[from] std::io::Error),
    /// It ended, or did not say where it listens.
    #[error("anvil did not come up: {0}")]
    NotUp(String),
}

/// How Anvil is started.
#[derive(Clone, Debug)]
pub struct AnvilConfig {
    /// Port; 0 for a free one.
    pub port: u16,
    /// Seconds between blocks; `None` mines one for each transaction.
    pub block_time: Option<u64>,
    /// Chain id; Anvil's own (31337) if `None`.
    pub chain_id: Option<u64>,
    /// Blocks in an epoch. The `finalized` block follows the head by two epochs, so no reorg that is deeper than that
    /// should be made.
    pub slots_in_an_epoch: u64,
    /// A file to read the chain from, if it exists, and to save it in when Anvil ends, and every ten seconds.
    pub state: Option<PathBuf>,
    /// More arguments.
    pub args: Vec<String>,
}

impl Default for AnvilConfig {
    fn default() -> Self {
        Self {
            port: 0,
            block_time: None,
            chain_id: None,
            slots_in_an_epoch: 1,
            state: None,
            args: Vec::new(),
        }
    }
}

/// A running Anvil.
#[derive(Debug)]
pub struct AnvilNode {
    keeper: Child,
    // Its end is the signal to end Anvil.
    leash: Option<ChildStdin>,
    port: u16,
}

impl AnvilNode {
    /// Finds the binary: `GEAR_EXE_ANVIL`, then `contracts/node_modules` of the checkout that this was built from, then that
    /// of a checkout around the working directory: build products are shared by checkouts, and the first may be gone.
    ///
    /// # Errors
    ///
    /// [`AnvilError::NotFound`] if there is none.
    pub fn binary() -> Result<PathBuf, AnvilError> {
        if let Some(path) = std::env::var_os("GEAR_EXE_ANVIL") {
            return Ok(path.into());
        }
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let here = std::env::current_dir().unwrap_or_default();
        let around = here.ancestors().map(Path::to_path_buf);
        // `anvil/bin` holds a script that needs Node.js; the binary is in the package of the platform.
        std::iter::once(built_from)
            .chain(around)
            .map(|checkout| checkout.join("contracts/node_modules/@foundry-rs"))
            .filter_map(|packages| std::fs::read_dir(packages).ok())
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("anvil-"))
            .map(|entry| entry.path().join("bin/anvil"))
            .find(|path| path.is_file())
            .ok_or(AnvilError::NotFound)
    }

    /// Starts Anvil on 127.0.0.1 and waits until it listens. A port or a state that a former Anvil is just giving up is
    /// waited for.
    ///
    /// # Errors
    ///
    /// [`AnvilError`] if there is no binary or it does not come up within half a minute.
    pub async fn spawn(config: AnvilConfig) -> Result<Self, AnvilError> {
        let began = Instant::now();
        loop {
            match Self::try_spawn(&config).await {
                Err(AnvilError::NotUp(reason))
                    if reason.contains("in use") && began.elapsed() < PORT_PATIENCE =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_spawn(config: &AnvilConfig) -> Result<Self, AnvilError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER, "anvil-keeper"])
            .arg(Self::binary()?)
            .args(["--host", "127.0.0.1"])
            .args(["--port", &config.port.to_string()])
            .args(["--slots-in-an-epoch", &config.slots_in_an_epoch.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(seconds) = config.block_time {
            command.args(["--block-time", &seconds.to_string()]);
        }
        if let Some(id) = config.chain_id {
            command.args(["--chain-id", &id.to_string()]);
        }
        if let Some(path) = &config.state {
            command.arg("--state").arg(path).args([
                "--state-interval",
                "1",
                "--preserve-historical-states",
            ]);
        }
        command.args(&config.args);
        let mut keeper = command.spawn()?;
        let leash = keeper.stdin.take();
        let out = keeper
            .stdout
            .take()
            .ok_or_else(|| AnvilError::NotUp("no output".into()))?;
        let mut lines = BufReader::new(out).lines();
        let listening = async {
            let mut last = String::new();
            while let Some(line) = lines.next_line().await? {
                if let Some(at) = line.strip_prefix("Listening on ") {
                    return at
                        .rsplit(':')
                        .next()
                        .and_then(|port| port.trim().parse().ok())
                        .ok_or_else(|| AnvilError::NotUp(line.clone()));
                }
                if !line.trim().is_empty() {
                    last = line;
                }
            }
            Err(AnvilError::NotUp(format!(
                "it ended (port {}): {last}",
                config.port
            )))
        };
        let port = tokio::time::timeout(PATIENCE, listening)
            .await
            .map_err(|_| AnvilError::NotUp("it does not listen".into()))??;
        // Read on, so that its output never blocks it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            keeper,
            leash,
            port,
        })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its HTTP endpoint, which serves blobs at `/eth/v1/beacon/blobs/{block}` too.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its WebSocket endpoint.
    pub fn ws(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Ends it and waits until it is gone, with its state saved and its port free. Dropping ends it too, without waiting.
    ///
    /// # Errors
    ///
    /// [`AnvilError`] if it does not end within half a minute.
    pub async fn stop(mut self) -> Result<(), AnvilError> {
        drop(self.leash.take());
        tokio::time::timeout(PATIENCE, self.keeper.wait())
            .await
            .map_err(|_| AnvilError::NotUp("it does not end".into()))??;
        Ok(())
    }
}
