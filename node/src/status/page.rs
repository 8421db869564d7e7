//! The status page on the RPC port: a layer in front of the JSON-RPC server that answers `GET /` and the page's own files,
//! and passes everything else on.
//!
//! The page is part of the binary, asks nobody but the node that served it, and runs under a Content-Security-Policy that
//! allows nothing else: no inline script or style, no other host, no frame around it.

use futures::future::{Either, Ready, ready};
use hyper::{
    Method,
    header::{self, HeaderName, HeaderValue},
};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse, ws};
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// A file of the page.
struct File {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

const FILES: [File; 4] = [
    File {
        path: "/",
        kind: "text/html; charset=utf-8",
        content: include_str!("page.html"),
    },
    File {
        path: "/status.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("page.css"),
    },
    File {
        path: "/status.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("page.js"),
    },
    File {
        path: "/status.svg",
        kind: "image/svg+xml",
        content: include_str!("icon.svg"),
    },
];

/// What a browser is told to obey. `'self'` includes the WebSocket of the same host and port.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    // A node that was updated shows its own page at once.
    ("cache-control", "no-cache"),
];

/// The page's answer to a request; nothing if it is not for the page.
fn answer<B>(request: &HttpRequest<B>) -> Option<HttpResponse> {
    let get = *request.method() == Method::GET;
    if !(get || *request.method() == Method::HEAD) || ws::is_upgrade_request(request) {
        return None;
    }
    let path = request.uri().path();
    let file = FILES.iter().find(|file| file.path == path)?;
    let body = match get {
        true => HttpBody::from(file.content),
        false => HttpBody::empty(),
    };
    let mut response = HttpResponse::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(file.content.len()),
    );
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Some(response)
}

/// Puts the page in front of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageLayer;

impl<S> Layer<S> for PageLayer {
    type Service = Page<S>;

    fn layer(&self, inner: S) -> Page<S> {
        Page(inner)
    }
}

/// A server with the page in front.
#[derive(Clone, Debug)]
pub struct Page<S>(S);

impl<S, B> Service<HttpRequest<B>> for Page<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Either<Ready<Result<HttpResponse, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        match answer(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.0.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Option<HttpResponse> {
        let mut request = HttpRequest::new(());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        answer(&request)
    }

    #[test]
    fn only_what_a_browser_asks_is_answered() {
        for path in [
            "/",
            "/status.css",
            "/status.js",
            "/status.svg",
            "/?from=0x0",
        ] {
            let response = ask(Method::GET, path, &[]).unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
            assert!(policy.to_str().unwrap().starts_with("default-src 'none';"));
            assert!(ask(Method::HEAD, path, &[]).is_some());
            assert!(ask(Method::POST, path, &[]).is_none());
            assert!(ask(Method::OPTIONS, path, &[]).is_none());
        }
        assert!(ask(Method::GET, "/health", &[]).is_none());
        assert!(ask(Method::GET, "/status.css/", &[]).is_none());
        let upgrade = [
            (header::CONNECTION, "Upgrade"),
            (header::UPGRADE, "websocket"),
        ];
        assert!(ask(Method::GET, "/", &upgrade).is_none());
    }

    #[test]
    fn the_page_has_nothing_inline_and_asks_nobody_else() {
        let [html, css, js, svg] = FILES.map(|file| file.content);
        for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
            assert!(!html.contains(inline), "{inline}");
            assert!(!svg.contains(inline), "{inline}");
        }
        // A script without a source.
        assert!(!html.contains("<script>"));
        // Untrusted text goes through `textContent` only.
        for danger in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!js.contains(danger), "{danger}");
        }
        for file in [html, css, js] {
            let mut urls = file.match_indices("://").map(|(at, _)| &file[..at]);
            let own = |before: &str| ["ws", "wss"].iter().any(|scheme| before.ends_with(scheme));
            assert!(urls.all(|before| own(before) || before.ends_with("${scheme}")));
            assert!(!file.contains("@import"));
            assert!(!file.contains("url("));
        }
    }
}
