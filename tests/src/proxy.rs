//! A door to an Ethereum node that can be shut, or opened to another node, while those who use it keep their address;
//! and a node that lies, or lags.

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
    /// The same, but logs are hidden: those of one block, or of all.
    Liar {
        port: u16,
        always: bool,
        has_lied: Arc<AtomicBool>,
    },
    /// The same, as it was so many blocks ago.
    Laggard {
        port: u16,
        blocks: u64,
    },
}

/// How an answer is changed on its way.
enum Change<'a> {
    HideLogs {
        always: bool,
        has_lied: &'a AtomicBool,
    },
    Lag(u64),
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
        self.lie(target, false);
    }

    /// The same with all of its answers about receipts.
    pub fn hide_logs(&self, target: u16) {
        self.lie(target, true);
    }

    fn lie(&self, port: u16, always: bool) {
        self.target.send_replace(Target::Liar {
            port,
            always,
            has_lied: Arc::default(),
        });
    }

    /// Cuts all connections, and passes new ones on to `target`, a node that speaks HTTP, whose head and final block seem to be
    /// so many blocks behind what they are.
    pub fn lag(&self, target: u16, blocks: u64) {
        self.target.send_replace(Target::Laggard {
            port: target,
            blocks,
        });
    }

    /// Whether logs were hidden.
    pub fn has_hidden_logs(&self) -> bool {
        match &*self.target.borrow() {
            Target::Liar { has_lied, .. } => has_lied.load(SeqCst),
            Target::Nobody | Target::Port(_) | Target::Laggard { .. } => false,
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
            Target::Liar {
                port,
                always,
                has_lied,
            } => {
                let has_lied = &*has_lied;
                let _ = change(&mut inwards, port, Change::HideLogs { always, has_lied }).await;
            }
            Target::Laggard { port, blocks } => {
                let _ = change(&mut inwards, port, Change::Lag(blocks)).await;
            }
        }
    };
    tokio::select! {
        () = talk => {}
        _ = targets.changed() => {}
    }
}

/// Answers requests of one connection as the node at `port` does, but for what is changed.
async fn change(stream: &mut TcpStream, port: u16, change: Change<'_>) -> Result<()> {
    let node = reqwest::Client::new();
    let root = format!("http://127.0.0.1:{port}");
    let mut buffer = Vec::new();
    while let Some(mut request) = next_request(stream, &mut buffer).await? {
        if let Change::Lag(blocks) = change
            && let Some(earlier) = earlier(&node, &root, &request.body, blocks).await?
        {
            request.body = earlier;
        }
        let asks = String::from_utf8_lossy(&request.body).contains("eth_getBlockReceipts");
        let url = format!("{root}{}", request.path);
        let answer = match request.method.as_str() {
            "GET" => node.get(url).send().await?,
            _ => {
                let post = node.post(url).header("content-type", "application/json");
                post.body(request.body).send().await?
            }
        };
        let status = answer.status();
        let mut body = answer.bytes().await?.to_vec();
        if let Change::HideLogs { always, has_lied } = change
            && asks
            && (always || !has_lied.load(SeqCst))
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

/// A question about the head or the final block as one about a block so many blocks before it; nothing if it is another.
async fn earlier(
    node: &reqwest::Client,
    root: &str,
    body: &[u8],
    blocks: u64,
) -> Result<Option<Vec<u8>>> {
    let Ok(mut question) = serde_json::from_slice::<Value>(body) else {
        return Ok(None);
    };
    let tag = question["params"][0]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if question["method"] != "eth_getBlockByNumber" || !["latest", "finalized"].contains(&&*tag) {
        return Ok(None);
    }
    let now = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": [tag, false] });
    let post = node.post(root).header("content-type", "application/json");
    let answer: Value =
        serde_json::from_slice(&post.body(now.to_string()).send().await?.bytes().await?)?;
    let number = answer["result"]["number"].as_str().unwrap_or_default();
    let number = u64::from_str_radix(number.trim_start_matches("0x"), 16)?;
    question["params"][0] = json!(format!("{:#x}", number.saturating_sub(blocks)));
    Ok(Some(serde_json::to_vec(&question)?))
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
