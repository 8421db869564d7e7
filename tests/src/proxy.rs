//! A door to an Ethereum node that can be shut, or opened to another node, while those who use it keep their address;
//! and a node that lies.

use alloy::transports::http::reqwest;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The most that a request to an Ethereum node may have: blobs come in hex.
const MAX_REQUEST: usize = 16 << 20;

/// Where connections go.
#[derive(Clone, Debug)]
enum Target {
    Nobody,
    Port(u16),
    /// The same, but the logs of one block with logs are hidden, once.
    Liar {
        port: u16,
        has_lied: Arc<AtomicBool>,
    },
}

/// Passes connections on to a port of 127.0.0.1, or to nobody.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    target: watch::Sender<Target>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and passes on to `target`.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (target, targets) = watch::channel(Target::Port(target));
        let task = tokio::spawn(async move {
            while let Ok((inwards, _)) = listener.accept().await {
                tokio::spawn(pass(inwards, targets.clone()));
            }
        });
        Ok(Self { port, target, task })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections, and passes new ones on to `target`; `None` cuts those too.
    pub fn turn(&self, target: Option<u16>) {
        self.target
            .send_replace(target.map_or(Target::Nobody, Target::Port));
    }

    /// Cuts all connections, and passes new ones on to `target`, a node that speaks HTTP. The next answer with the
    /// receipts of a block that has logs comes without them; all others are as they are.
    pub fn hide_logs_once(&self, target: u16) {
        self.target.send_replace(Target::Liar {
            port: target,
            has_lied: Arc::default(),
        });
    }

    /// Whether logs were hidden.
    pub fn has_hidden_logs(&self) -> bool {
        match &*self.target.borrow() {
            Target::Liar { has_lied, .. } => has_lied.load(SeqCst),
            Target::Nobody | Target::Port(_) => false,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, until one side ends it or the target changes.
async fn pass(mut inwards: TcpStream, mut targets: watch::Receiver<Target>) {
    let target = targets.borrow_and_update().clone();
    let talk = async {
        match target {
            Target::Nobody => {}
            Target::Port(port) => {
                if let Ok(mut outwards) = TcpStream::connect(("127.0.0.1", port)).await {
                    let _ = copy_bidirectional(&mut inwards, &mut outwards).await;
                }
            }
            Target::Liar { port, has_lied } => {
                let _ = lie(&mut inwards, port, &has_lied).await;
            }
        }
    };
    tokio::select! {
        () = talk => {}
        _ = targets.changed() => {}
    }
}

/// Answers requests of one connection as the node at `port` does, but for one.
async fn lie(stream: &mut TcpStream, port: u16, has_lied: &AtomicBool) -> Result<()> {
    let node = reqwest::Client::new();
    let mut buffer = Vec::new();
    while let Some(request) = next_request(stream, &mut buffer).await? {
        let asks = String::from_utf8_lossy(&request.body).contains("eth_getBlockReceipts");
        let url = format!("http://127.0.0.1:{port}{}", request.path);
        let answer = match request.method.as_str() {
            "GET" => node.get(url).send().await?,
            _ => {
                let post = node.post(url).header("content-type", "application/json");
                post.body(request.body).send().await?
            }
        };
        let status = answer.status();
        let mut body = answer.bytes().await?.to_vec();
        if asks
            && !has_lied.load(SeqCst)
            && let Some(without) = without_logs(&body)
        {
            body = without;
            has_lied.store(true, SeqCst);
        }
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
    }
    Ok(())
}

/// An HTTP request, as far as it matters.
struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

/// The next request; nothing at the end of the connection.
async fn next_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<Request>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            let whole = end + 4 + length;
            if buffer.len() >= whole {
                let body = buffer[end + 4..whole].to_vec();
                buffer.drain(..whole);
                let mut words = head.split_whitespace().map(str::to_owned);
                return Ok(Some(Request {
                    method: words.next().unwrap_or_default(),
                    path: words.next().unwrap_or_default(),
                    body,
                }));
            }
        }
        anyhow::ensure!(buffer.len() < MAX_REQUEST, "a request is too long");
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// Receipts without their logs; nothing if they have none.
fn without_logs(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let mut hidden = false;
    for receipt in answer["result"].as_array_mut()? {
        hidden |= receipt["logs"]
            .as_array()
            .is_some_and(|logs| !logs.is_empty());
        receipt["logs"] = json!([]);
    }
    hidden.then(|| serde_json::to_vec(&answer).ok()).flatten()
}
