//! `gear-exe run`: Substrate's arguments for a node, and ours. With `--dev` see [`crate::dev`].

use super::{CliError, Next};
use crate::{
    chain_spec,
    dev::{self, DevOptions},
    service::{self, GearOptions},
};
use clap::Args;
use polkadot_sdk::{
    sc_cli::{RunCmd, SubstrateCli},
    sc_service::{self, BasePath, ChainSpec, Configuration},
};
use std::{net::TcpListener, path::PathBuf, time::Duration};

/// What names Ethereum endpoints if no argument does.
const ETHEREUM_RPC: &str = "GEAR_EXE_ETHEREUM_RPC";
/// Port of RPC if none is given.
const RPC_PORT: u16 = 9944;

/// What Substrate says of every block, and is not said on a development network.
const QUIET: [&str; 4] = [
    "aura=warn",
    "basic-authorship=warn",
    "sc_basic_authorship=warn",
    "substrate=warn",
];

/// Arguments of `gear-exe run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Ethereum endpoints, HTTP or WebSocket: the first that answers is followed. With --dev it is used instead of a new
    /// Anvil, and must be an Anvil too.
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        env = ETHEREUM_RPC
    )]
    pub ethereum_rpc: Vec<String>,
    /// Where blobs are read: a beacon node [default: the first Ethereum endpoint, as Anvil serves them].
    #[arg(long, value_name = "URL", env = "GEAR_EXE_BEACON_RPC")]
    pub beacon_rpc: Option<String>,
    /// Threads that run programs; 0 takes one for each core.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub executor_threads: usize,
    /// Rounds before the last settled one whose states stay readable. What is older is forgotten.
    #[arg(long, value_name = "NUMBER", default_value_t = crate::service::DEFAULT_KEEP_ROUNDS)]
    pub keep_rounds: u64,
    /// Where the compiled runtime is kept, so that a node that starts again need not compile it. Whoever can write there can
    /// make the node run anything [default: `runtimes` in the base path].
    #[arg(long, value_name = "FOLDER", env = "GEAR_EXE_RUNTIME_CACHE")]
    pub runtime_cache: Option<PathBuf>,
    /// Seconds between Ethereum blocks of a development network.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, requires = "dev")]
    pub block_time: u64,
    /// Port of a development network's Anvil.
    #[arg(long, value_name = "PORT", default_value_t = 8545, requires = "dev")]
    pub ethereum_port: u16,
    /// Do not run the relayer of a development network; results reach Ethereum only if another one does.
    #[arg(long, requires = "dev")]
    pub no_relayer: bool,
    /// Substrate's arguments.
    #[command(flatten)]
    pub node: RunCmd,
}

/// What Substrate's command line needs to know of us.
struct App {
    /// The specification of a development network.
    spec: Option<chain_spec::ChainSpec>,
}

impl SubstrateCli for App {
    fn impl_name() -> String {
        "Gear.exe".into()
    }

    fn impl_version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        env!("CARGO_PKG_AUTHORS").into()
    }

    fn support_url() -> String {
        "the project's issues".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn ChainSpec>, String> {
        if let Some(spec) = &self.spec {
            return Ok(Box::new(spec.clone()));
        }
        if id.is_empty() {
            return Err(
                "which network? Give a chain specification by --chain, or start a new one with --dev"
                    .into(),
            );
        }
        chain_spec::from_file(PathBuf::from(id))
            .map(|spec| Box::new(spec) as Box<dyn ChainSpec>)
            .map_err(|error| error.to_string())
    }
}

/// Runs a node until it is told to end.
///
/// # Errors
///
/// [`CliError`] says why it could not start, or why it had to end.
pub fn run(args: RunArgs) -> Result<(), CliError> {
    if args.node.shared_params.dev {
        require_free(args.rpc_port())?;
        run_dev(args)
    } else {
        run_node(args, |_| ())
    }
}

/// Runs a node of an existing network until it is told to end, for a program that does something with its parts as well.
///
/// # Errors
///
/// [`CliError`] says why it could not start, or why it had to end.
pub fn run_node(args: RunArgs, with: impl FnOnce(&service::Node)) -> Result<(), CliError> {
    require_free(args.rpc_port())?;
    let options = options(&args, args.ethereum_rpc.clone());
    start(App { spec: None }, &args.node, |config| {
        let node = service::build(config, options)?;
        with(&node);
        Ok(node.task_manager)
    })
}

impl RunArgs {
    fn rpc_port(&self) -> u16 {
        self.node.rpc_params.rpc_port.unwrap_or(RPC_PORT)
    }
}

fn options(args: &RunArgs, ethereum_urls: Vec<String>) -> GearOptions {
    GearOptions {
        beacon_url: args.beacon_rpc.clone(),
        executor_threads: args.executor_threads,
        keep_rounds: args.keep_rounds,
        runtime_cache: args.runtime_cache.clone(),
        ..GearOptions::new(ethereum_urls)
    }
}

fn run_dev(mut args: RunArgs) -> Result<(), CliError> {
    // What belongs to the network but not to the node lives here: Anvil's output is read, and it is stopped at the end.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .next("threads could not be started", "free some memory")?;
    let network = runtime
        .block_on(dev::prepare(DevOptions {
            base_path: args.node.shared_params.base_path.clone(),
            ethereum_url: args.ethereum_rpc.first().cloned(),
            ethereum_port: args.ethereum_port,
            block_time: args.block_time,
        }))
        .map_err(|mut error| {
            // Whoever has used `tx` in this shell has not asked for this.
            if let Ok(url) = std::env::var(ETHEREUM_RPC)
                && args.ethereum_rpc.first() == Some(&url)
            {
                error.next = format!(
                    "{}; {ETHEREUM_RPC} names it: unset that for a new Anvil",
                    error.next
                );
            }
            error
        })?;

    if args.node.shared_params.base_path.is_none() && args.runtime_cache.is_none() {
        // The network's folder goes with it, but the runtime is the next one's, too.
        let folder = BasePath::from_project("", "", &App::executable_name());
        args.runtime_cache = Some(folder.path().join(service::RUNTIMES));
    }
    let node = &mut args.node;
    if node.shared_params.log.is_empty() {
        // Four lines for each of four blocks a second are of no use to whoever writes a dApp.
        node.shared_params.log = QUIET.map(str::to_owned).to_vec();
    }
    node.tmp = false;
    node.shared_params.base_path = Some(network.folder().to_owned());
    // Nobody else is on this network: listen where nobody is disturbed, unless told otherwise.
    let p2p = &mut node.network_params;
    if p2p.port.is_none() && p2p.listen_addr.is_empty() {
        p2p.listen_addr = vec![
            "/ip4/127.0.0.1/tcp/0"
                .parse()
                .next("no address", "report this")?,
        ];
    }
    if node.prometheus_params.prometheus_port.is_none() {
        node.prometheus_params.no_prometheus = true;
    }
    let options = GearOptions {
        ethereum_poll: Duration::from_millis(100),
        ethereum_stale_after: None,
        ..options(&args, vec![network.ethereum_url().to_owned()])
    };
    let app = App {
        spec: Some(network.spec().clone()),
    };
    let (rpc_port, relay) = (args.rpc_port(), !args.no_relayer);
    let result = start(app, &args.node, |config| {
        let node = service::build(config, options)?;
        network
            .serve(&node, rpc_port, relay)
            .map_err(|error| sc_service::Error::Other(error.to_string()))?;
        Ok(node.task_manager)
    });
    runtime.block_on(network.stop());
    result
}

fn start(
    app: App,
    command: &RunCmd,
    service: impl FnOnce(Configuration) -> Result<sc_service::TaskManager, sc_service::Error>,
) -> Result<(), CliError> {
    app.create_runner(command)
        .next(
            "the node cannot be configured",
            "correct the argument that is named, `gear-exe run --help` explains them",
        )?
        .run_node_until_exit(|mut config| async move {
            for endpoint in config.rpc.addr.iter_mut().flatten() {
                // A node on another port than asked for would not be found.
                endpoint.retry_random_port = false;
            }
            service(config)
        })
        .next(
            "the node has ended",
            "correct what is named and start it again; what it has stored is kept",
        )
}

/// Substrate would say so too, but late and in other words.
fn require_free(port: u16) -> Result<(), CliError> {
    TcpListener::bind(("127.0.0.1", port)).map(drop).next(
        format!("port {port} of 127.0.0.1 cannot be used for RPC"),
        "end the process that uses it, or give another by --rpc-port",
    )
}
