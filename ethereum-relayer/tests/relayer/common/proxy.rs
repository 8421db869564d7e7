//! Stands between relayer and Anvil, and fails as networks and nodes do.

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Works,
    /// Connections break.
    Down,
    /// No answer for this long.
    Slow(Duration),
    /// Requests of this method are swallowed: they never reach the node, and are never answered.
    Swallow(&'static str),
}

#[derive(Debug, Default)]
struct Shared {
    mode: Mutex<Mode>,
    swallowed: Notify,
}

#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    url: String,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(
    node: u16,
    body: Bytes,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(("127.0.0.1", node)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post("/")
        .header("host", "anvil")
        .header("content-type", "application/json")
        .body(Full::new(body))?;
    let answer = sender
        .send_request(request)
        .await?
        .into_body()
        .collect()
        .await?;
    connection.abort();
    Ok(answer.to_bytes())
}

async fn answer(
    shared: &Shared,
    node: u16,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let body = request.into_body().collect().await?.to_bytes();
    let mode = shared.mode.lock().unwrap().clone();
    match mode {
        Mode::Works => {}
        Mode::Down => return Err("down".into()),
        Mode::Slow(time) => tokio::time::sleep(time).await,
        Mode::Swallow(method) => {
            let json: serde_json::Value = serde_json::from_slice(&body)?;
            if json["method"] == method {
                shared.swallowed.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }
    let answer = forward(node, body).await?;
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(answer))?)
}

impl Proxy {
    pub async fn new(node: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn({
            let shared = shared.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    if *shared.mode.lock().unwrap() == Mode::Down {
                        continue;
                    }
                    let shared = shared.clone();
                    tokio::spawn(async move {
                        let service = service_fn(|request| answer(&shared, node, request));
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            }
        });
        Self { shared, url, task }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// Waits until a request was swallowed.
    pub async fn swallowed(&self) {
        tokio::time::timeout(Duration::from_secs(60), self.shared.swallowed.notified())
            .await
            .expect("the request is made");
    }
}
