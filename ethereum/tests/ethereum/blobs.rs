//! Blobs by the REST API of beacon nodes, of both generations. (Anvil's own is in `settlement.rs`.)

use alloy::primitives::hex;
use gear_exe_ethereum::blob::{self, BlobEndpoint, BlobError, BlobSource};
use gear_exe_primitives::{CodeId, H256, ethereum::EthereumHeader};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

/// Serves fixed answers by path (queries are ignored); 404 for everything else.
struct Beacon {
    url: String,
    task: JoinHandle<()>,
}

impl Beacon {
    async fn serve(answers: HashMap<&'static str, Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                let mut path = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                    if let Some(rest) = line.strip_prefix("GET ") {
                        path = rest.split([' ', '?']).next().unwrap_or_default().to_owned();
                    }
                    line.clear();
                }
                let (status, body) = match answers.get(path.as_str()) {
                    Some(answer) => ("200 OK", answer.to_string()),
                    None => ("404 Not Found", String::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(body.as_bytes()).await;
            }
        });
        Self { url, task }
    }

    fn source(&self) -> BlobSource {
        let endpoint = BlobEndpoint::Beacon(format!("{}/", self.url));
        BlobSource::new(vec![endpoint], Duration::from_secs(20))
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn code() -> (Vec<u8>, CodeId, Vec<H256>, Vec<String>) {
    let code: Vec<u8> = (0..200_000u32).map(|index| (index % 255) as u8).collect();
    let sidecar = blob::sidecar(&code).unwrap();
    let hashes = sidecar
        .versioned_hashes()
        .map(|hash| H256(hash.0))
        .collect();
    let blobs = sidecar.blobs.iter().map(hex::encode_prefixed).collect();
    let id = CodeId::of(&code);
    (code, id, hashes, blobs)
}

/// The block in slot 7.
fn block() -> EthereumHeader {
    EthereumHeader {
        timestamp: 1_000 + 7 * 12,
        ..Default::default()
    }
}

fn clock() -> HashMap<&'static str, Value> {
    HashMap::from([
        (
            "/eth/v1/beacon/genesis",
            json!({ "data": { "genesis_time": "1000" } }),
        ),
        (
            "/eth/v1/config/spec",
            json!({ "data": { "SECONDS_PER_SLOT": "12" } }),
        ),
    ])
}

#[tokio::test]
async fn blobs_by_slot() {
    let (code, id, hashes, blobs) = code();
    let mut answers = clock();
    let foreign = hex::encode_prefixed([0; 131_072]);
    answers.insert(
        "/eth/v1/beacon/blobs/7",
        json!({ "data": [foreign, blobs[1], blobs[0]] }),
    );
    let beacon = Beacon::serve(answers).await;
    assert!(beacon.source().code(&block(), id, &hashes).await == Ok(code));
    // Another slot: not there.
    let later = EthereumHeader {
        timestamp: block().timestamp + 12,
        ..block()
    };
    let missing = beacon.source().code(&later, id, &hashes).await;
    assert!(matches!(missing, Err(BlobError::NotAvailable(_))));
}

#[tokio::test]
async fn sidecars_of_an_older_node() {
    let (code, id, hashes, blobs) = code();
    let mut answers = clock();
    answers.insert(
        "/eth/v1/beacon/blob_sidecars/7",
        json!({ "data": [
            { "index": "0", "blob": blobs[0] },
            { "index": "1", "blob": blobs[1] },
        ] }),
    );
    let beacon = Beacon::serve(answers).await;
    assert!(beacon.source().code(&block(), id, &hashes).await == Ok(code));
}

#[tokio::test]
async fn a_node_that_gives_other_blobs_is_not_believed_and_not_the_announcers_fault() {
    let (_, id, hashes, blobs) = code();
    let mut answers = clock();
    answers.insert(
        "/eth/v1/beacon/blobs/7",
        json!({ "data": [blobs[0], blobs[0]] }),
    );
    let beacon = Beacon::serve(answers).await;
    let wrong = beacon.source().code(&block(), id, &hashes).await;
    assert!(matches!(wrong, Err(BlobError::NotAvailable(_))));
}
