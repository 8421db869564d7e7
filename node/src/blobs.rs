//! Where the bytes of codes come from: blobs, checked against what was announced.

use crate::{
    codes::{Fetch, FetchError},
    service::GearOptions,
};
use gear_exe_ethereum::blob::{BlobEndpoint, BlobError, BlobSource};
use std::sync::Arc;

/// Gets codes from the beacon node, or, where none is configured, from the Ethereum endpoints as Anvil serves them.
pub fn fetch(options: &GearOptions) -> Fetch {
    let endpoints = match &options.beacon_url {
        Some(url) => vec![BlobEndpoint::Beacon(url.clone())],
        None => options
            .ethereum_urls
            .iter()
            .map(|url| BlobEndpoint::Anvil(http(url)))
            .collect(),
    };
    let source = Arc::new(BlobSource::new(endpoints, options.ethereum_timeout));
    Arc::new(move |request| {
        let source = source.clone();
        Box::pin(async move {
            source
                .code(&request.block, request.code_id, &request.blob_hashes)
                .await
                .map_err(|error| match error {
                    BlobError::NotAvailable(reason) => FetchError::Unavailable(reason),
                    BlobError::Invalid(reason) => FetchError::Invalid(reason.to_string()),
                })
        })
    })
}

/// The same endpoint by HTTP.
fn http(url: &str) -> String {
    match url.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_sockets_have_a_twin() {
        assert_eq!(http("ws://127.0.0.1:8545"), "http://127.0.0.1:8545");
        assert_eq!(http("wss://a.example/x"), "https://a.example/x");
        assert_eq!(http("http://127.0.0.1:1"), "http://127.0.0.1:1");
    }
}
