//! `/metrics` for Prometheus, `/healthz` (the process works) and `/readyz` (it knows both chains and nothing stops it).

use crate::{alarms::Alarms, pipeline::Alarm};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use prometheus::{Encoder, Registry, TextEncoder};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{net::TcpListener, task::JoinSet};

/// What the endpoint answers from.
#[derive(Clone, Debug)]
pub struct Health {
    /// Metrics.
    pub registry: Registry,
    /// Conditions.
    pub alarms: Alarms,
    /// Ethereum was read at least once.
    pub started: Arc<AtomicBool>,
}

impl Health {
    fn answer(&self, method: &Method, path: &str) -> (StatusCode, &'static str, Vec<u8>) {
        const TEXT: &str = "text/plain; charset=utf-8";
        if method != Method::GET {
            return (StatusCode::METHOD_NOT_ALLOWED, TEXT, b"GET only\n".to_vec());
        }
        match path {
            "/metrics" => {
                let encoder = TextEncoder::new();
                let mut out = Vec::new();
                match encoder.encode(&self.registry.gather(), &mut out) {
                    Ok(()) => (StatusCode::OK, prometheus::TEXT_FORMAT, out),
                    Err(error) => {
                        let text = format!("{error}\n").into_bytes();
                        (StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
                    }
                }
            }
            "/healthz" => (StatusCode::OK, TEXT, b"ok\n".to_vec()),
            "/readyz" => {
                let mut reasons = Vec::new();
                if !self.started.load(Ordering::Relaxed) {
                    reasons.push("Ethereum and the chain have not both answered yet".to_owned());
                }
                for (alarm, reason) in self.alarms.lasting() {
                    // A warning does not stop the work.
                    if alarm != Alarm::LowBalance && alarm != Alarm::OldBatch {
                        reasons.push(format!("{}: {reason}", alarm.name()));
                    }
                }
                if reasons.is_empty() {
                    (StatusCode::OK, TEXT, b"ready\n".to_vec())
                } else {
                    let text = reasons.join("\n") + "\n";
                    (StatusCode::SERVICE_UNAVAILABLE, TEXT, text.into_bytes())
                }
            }
            _ => (
                StatusCode::NOT_FOUND,
                TEXT,
                b"/metrics, /healthz, /readyz\n".to_vec(),
            ),
        }
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, health: Health) {
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, for instance: others will be closed.
                tracing::warn!(%error, "the metrics endpoint cannot take a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let health = health.clone();
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let (status, kind, body) = health.answer(request.method(), request.uri().path());
                let mut response = Response::new(Full::new(Bytes::from(body)));
                *response.status_mut() = status;
                if let Ok(kind) = kind.parse() {
                    response
                        .headers_mut()
                        .insert(hyper::header::CONTENT_TYPE, kind);
                }
                async move { Ok::<_, Infallible>(response) }
            });
            if let Err(error) = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
            {
                tracing::debug!(%error, "a connection to the metrics endpoint ended badly");
            }
        });
    }
}
