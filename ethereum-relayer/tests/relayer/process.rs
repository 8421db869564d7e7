//! The binary, as an operator runs it: against a node's RPC and an Ethereum node, killed with -9 at its worst moments.

use crate::common::{proxy::*, *};
use codec::Encode;
use gear_exe_primitives::H256;
use gear_exe_relayer::Chain;
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage,
    server::{Server, ServerHandle},
    types::ErrorObjectOwned,
};
use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
};

/// A node's RPC, as far as the relayer asks it.
async fn node(world: &World, port: u16) -> (ServerHandle, SocketAddr) {
    let mut module = RpcModule::new(world.chain.clone());
    let refused = |error: String| ErrorObjectOwned::owned(1, error, None::<()>);
    module
        .register_method("chain_getBlockHash", |params, chain, _| {
            let [number]: [u32; 1] = params.parse().unwrap();
            assert_eq!(number, 0);
            Some(chain.identity.lock().unwrap().genesis)
        })
        .unwrap();
    module
        .register_method("chain_getFinalizedHead", |_, _, _| {
            Some(H256::repeat_byte(3))
        })
        .unwrap();
    module
        .register_async_method("state_call", move |params, chain, _| async move {
            let (function, data, at): (String, String, H256) = params.parse().unwrap();
            assert_eq!((data.as_str(), at), ("0x", H256::repeat_byte(3)));
            let answer = match function.as_str() {
                "SettlementApi_ready_batches" => chain.ready().await.unwrap().encode(),
                "SettlementApi_domain" => chain.identity().await.unwrap().domain.encode(),
                other => return Err(refused(format!("no {other}"))),
            };
            Ok(format!("0x{}", hex::encode(answer)))
        })
        .unwrap();
    module
        .register_async_method("gear_batchBody", |params, chain, _| async move {
            let [digest]: [H256; 1] = params.parse().unwrap();
            let body = chain.body(digest).await.unwrap();
            body.map(|batch| format!("0x{}", hex::encode(batch.encode())))
        })
        .unwrap();
    module
        .register_subscription(
            "chain_subscribeFinalizedHeads",
            "chain_finalizedHead",
            "chain_unsubscribeFinalizedHeads",
            |_, pending: PendingSubscriptionSink, chain, _| async move {
                let Ok(sink) = pending.accept().await else {
                    return;
                };
                loop {
                    tokio::select! {
                        () = sink.closed() => return,
                        () = chain.news.notified() => {
                            let head = serde_json::json!({ "number": "0x1" });
                            let message = SubscriptionMessage::from_json(&head).unwrap();
                            let _ = sink.send(message).await;
                        }
                    }
                }
            },
        )
        .unwrap();
    let server = Server::builder().build(("127.0.0.1", port)).await.unwrap();
    let address = server.local_addr().unwrap();
    (server.start(module), address)
}

/// The process. Killed when it is dropped.
struct Process {
    child: Child,
    endpoint: String,
    log: Arc<Mutex<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    async fn start(world: &World, node: SocketAddr, ethereum: &str) -> Self {
        let key_file = world.folder.path().join("key");
        std::fs::write(&key_file, format!("0x{RELAYER}\n")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gear-exe-relayer"))
            .arg("run")
            .args(["--node", &format!("ws://{node}")])
            .args(["--ethereum", ethereum])
            .args(["--router", &format!("{:?}", world.domain.router)])
            .arg("--key-file")
            .arg(key_file)
            .arg("--data")
            .arg(world.folder.path().join("process"))
            .args(["--max-fee-gwei", "100.5", "--poll-ms", "50"])
            .args(["--prometheus-port", "0"])
            .env("RUST_LOG", "info,gear_exe_relayer=trace")
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (found, endpoint) = mpsc::channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn({
            let log = log.clone();
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    if let Some((_, rest)) = line.split_once("endpoint=") {
                        let address = rest.split_whitespace().next().unwrap_or_default();
                        let _ = found.send(format!("http://{address}"));
                    }
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let endpoint = tokio::task::spawn_blocking(move || endpoint.recv())
            .await
            .unwrap();
        let endpoint = endpoint.unwrap_or_else(|_| panic!("{}", log.lock().unwrap()));
        Self {
            child,
            endpoint,
            log,
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: relayer\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    async fn until(&self, name: &str, least: f64) {
        until(&format!("{name} is {least}"), || async {
            let (_, text) = self.get("/metrics").await;
            (value(&text, name)? >= least).then_some(())
        })
        .await;
    }

    fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_its_worst_moments_the_process_neither_loses_nor_repeats() {
    let world = World::new().await;
    let (_server, address) = node(&world, 0).await;
    let proxy = Proxy::new(world.anvil.port()).await;
    let http = world.anvil.http();

    // After the log, before the transaction leaves.
    proxy.set(Mode::Swallow("eth_sendRawTransaction"));
    let process = Process::start(&world, address, proxy.url()).await;
    let digest = world.next().await;
    proxy.swallowed().await;
    let mut logs = process.kill();
    assert!(world.pool().await.is_empty());

    // After it left, before it is mined.
    let process = Process::start(&world, address, &http).await;
    let sent = world.pooled().await;
    logs += &process.kill();

    // After it was mined, before it is final.
    let process = Process::start(&world, address, &http).await;
    process.until("batches{stage=\"pending\"}", 1.0).await;
    assert_eq!(world.pool().await, [sent]);
    world.mine(1).await;
    process.until("batches{stage=\"included\"}", 1.0).await;
    logs += &process.kill();
    assert_eq!(world.applied().await, (1, digest));

    // And on to the end.
    let process = Process::start(&world, address, &http).await;
    process.until("batches{stage=\"included\"}", 1.0).await;
    until("the batch is settled", || async {
        world.mine(8).await;
        let (_, text) = process.get("/metrics").await;
        (value(&text, "settled_total")? >= 1.0).then_some(())
    })
    .await;
    assert_eq!(process.get("/readyz").await, (200, "ready\n".into()));
    logs += &process.kill();
    world.nothing_wasted(1).await;
    assert_eq!(world.mined().await[0].hash, sent);
    assert!(logs.contains("is in a block"), "{logs}");
    assert!(!logs.contains(&RELAYER[..16]), "a key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_goes_and_comes_is_found_again_and_a_signal_ends_the_process_well() {
    let world = World::new().await;
    let (server, address) = node(&world, 0).await;
    let mut process = Process::start(&world, address, &world.anvil.http()).await;
    world.next().await;
    world.mine_until_applied(1).await;
    process.until("router_nonce{at=\"latest\"}", 1.0).await;
    assert_eq!(process.get("/healthz").await.0, 200);
    assert_eq!(process.get("/nothing").await.0, 404);

    server.stop().unwrap();
    server.stopped().await;
    process.until("alarm{kind=\"chain_down\"}", 1.0).await;
    let (status, why) = process.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("chain_down"), "{why}");

    let (_server, _) = node(&world, address.port()).await;
    world.next().await;
    world.mine_until_applied(2).await;
    until("the alarm is over", || async {
        (process.get("/readyz").await.0 == 200).then_some(())
    })
    .await;
    world.nothing_wasted(2).await;

    let id = process.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let status = tokio::task::spawn_blocking(move || process.child.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_the_command_line_is_said() {
    let run = |arguments: &[&str], key: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gear-exe-relayer"));
        command
            .arg("run")
            .args(["--ethereum", "http://127.0.0.1:1", "--data", "/dev/null/x"])
            .args(["--router", "0x0101010101010101010101010101010101010101"])
            .args(arguments)
            .env_remove("GEAR_EXE_RELAYER_KEY")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(key) = key {
            command.env("GEAR_EXE_RELAYER_KEY", key);
        }
        let mut child = command.spawn().unwrap();
        let mut text = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(!child.wait().unwrap().success());
        text
    };
    assert!(run(&["--max-fee-gwei", "5"], None).contains("--key-file"));
    assert!(run(&["--max-fee-gwei", "5"], Some("12ab")).contains("64 hex digits"));
    assert!(run(&["--max-fee-gwei", "5"], Some(RELAYER)).contains("data folder"));
    assert!(run(&["--max-fee-gwei", "no"], Some(RELAYER)).contains("decimal number"));
}
