//! The JSON-RPC server: HTTP, WebSocket and the status page on one port.
//!
//! `sc_rpc_server::start_server` would do, but for one thing: it has no place for a layer of ours in front of JSON-RPC, and
//! neither has `sc_service` that calls it. So this file does the same with the same parts: Substrate's limits, host filter,
//! CORS, `/health`, rate limit, metrics and unsafe calls, and [`PageLayer`] beside `/health`. A proxy in front of Substrate's
//! server was the other way: it would have hidden from it who is calling, at which rate limits look, and cost each message
//! a second connection.

use super::other;
use crate::status::page::PageLayer;
use forwarded_header_value::ForwardedHeaderValue;
use hyper::{
    HeaderMap, Request,
    body::Incoming,
    header::{FORWARDED, HeaderValue},
};
use jsonrpsee::{
    Methods, RpcModule,
    core::BoxError,
    server::{
        HttpResponse, PingConfig, RandomStringIdProvider, RpcServiceBuilder, Server as JsonServer,
        StopHandle, middleware::http::HostFilterLayer, serve_with_graceful_shutdown, stop_channel,
        ws,
    },
};
use polkadot_sdk::{
    sc_rpc_server::{
        Metrics, MiddlewareLayer, NodeHealthProxyLayer, RpcMetrics, Server, utils::deny_unsafe,
    },
    sc_service::{
        Error,
        config::{RpcConfiguration, RpcEndpoint, RpcSubscriptionIdProvider},
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};
use tokio::runtime::{Handle, Runtime};
use tower::{Service, ServiceBuilder};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Bytes of a megabyte, in which sizes are configured.
const MEGABYTE: u32 = 1 << 20;
/// Pause after a connection could not be accepted, for example since there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// A port that is taken, and how it is to be served.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: RpcEndpoint,
}

/// Takes the configured ports.
///
/// # Errors
///
/// [`Error`] if one that is needed is not free, or there is none.
pub(super) fn bind(rpc: &RpcConfiguration) -> Result<Vec<Door>, Error> {
    let mut doors = Vec::new();
    for endpoint in endpoints(rpc) {
        match listen(&endpoint) {
            Ok((listener, address)) => doors.push(Door {
                listener,
                address,
                endpoint,
            }),
            Err(error) if endpoint.is_optional => {
                tracing::debug!(address = %endpoint.listen_addr, %error, "an optional address is not served");
            }
            Err(error) => {
                return Err(other(format!(
                    "cannot serve RPC at {}: {error}",
                    endpoint.listen_addr
                )));
            }
        }
    }
    if doors.is_empty() {
        return Err(other("no address for RPC can be used"));
    }
    Ok(doors)
}

/// What the command line says; this machine only if it says nothing.
fn endpoints(rpc: &RpcConfiguration) -> Vec<RpcEndpoint> {
    if let Some(endpoints) = &rpc.addr {
        return endpoints.clone();
    }
    let local = |address: IpAddr, is_optional| RpcEndpoint {
        listen_addr: SocketAddr::new(address, rpc.port),
        batch_config: rpc.batch_config,
        max_connections: rpc.max_connections,
        max_payload_in_mb: rpc.max_request_size,
        max_payload_out_mb: rpc.max_response_size,
        max_subscriptions_per_connection: rpc.max_subs_per_conn,
        max_buffer_capacity_per_connection: rpc.message_buffer_capacity,
        rate_limit: rpc.rate_limit,
        rate_limit_trust_proxy_headers: rpc.rate_limit_trust_proxy_headers,
        rate_limit_whitelisted_ips: rpc.rate_limit_whitelisted_ips.clone(),
        cors: rpc.cors.clone(),
        rpc_methods: rpc.methods,
        is_optional,
        retry_random_port: true,
    };
    vec![
        local(Ipv4Addr::LOCALHOST.into(), false),
        local(Ipv6Addr::LOCALHOST.into(), true),
    ]
}

fn listen(endpoint: &RpcEndpoint) -> io::Result<(TcpListener, SocketAddr)> {
    let mut address = endpoint.listen_addr;
    let listener = TcpListener::bind(address).or_else(|error| {
        if endpoint.retry_random_port {
            address.set_port(0);
            TcpListener::bind(address)
        } else {
            Err(error)
        }
    })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    methods: Methods,
    metrics: Option<RpcMetrics>,
    ids: Option<Box<dyn RpcSubscriptionIdProvider>>,
    logged: u32,
    stop: StopHandle,
    handle: Handle,
}

/// Serves `module` at these doors, on `runtime`, until what is returned is dropped.
///
/// # Errors
///
/// [`Error`] if the configuration holds what is no header; the runtime has ended then.
pub(super) fn serve(
    doors: Vec<Door>,
    module: RpcModule<()>,
    metrics: Option<RpcMetrics>,
    rpc: &mut RpcConfiguration,
    runtime: Runtime,
) -> Result<Server, Error> {
    let module = with_list(module);
    let (stop, server) = stop_channel();
    let shared = Shared {
        // Names that nobody serves are counted under one.
        metrics: metrics.map(|metrics| {
            let known: Vec<&'static str> = module.method_names().collect();
            metrics.with_known_methods(known)
        }),
        methods: module.into(),
        ids: rpc.id_provider.take(),
        logged: rpc.request_logger_limit,
        stop,
        handle: runtime.handle().clone(),
    };
    let addresses: Vec<SocketAddr> = doors.iter().map(|door| door.address).collect();
    let mut opened = Ok(());
    for door in doors {
        opened = opened.and_then(|()| open(door, shared.clone()));
    }
    if let Err(error) = opened {
        // To drop it would wait for it, which nobody may in an asynchronous context.
        runtime.shutdown_background();
        return Err(error);
    }
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    // In these words tools look for it, with a comma after a single one.
    let comma = if list.len() == 1 { "," } else { "" };
    tracing::info!("Running JSON-RPC server: addr={}{comma}", list.join(","));
    Ok(Server::new(server, addresses, runtime))
}

/// Adds the method that lists all methods.
fn with_list(mut module: RpcModule<()>) -> RpcModule<()> {
    let mut names: Vec<&'static str> = module.method_names().collect();
    names.push("rpc_methods");
    names.sort_unstable();
    let list = serde_json::json!({ "methods": names });
    if let Err(error) = module.register_method("rpc_methods", move |_, _, _| list.clone()) {
        tracing::error!(%error, "the methods cannot be listed");
    }
    module
}

/// Any origin, or these.
fn cors(allowed: Option<&[String]>) -> Result<CorsLayer, Error> {
    let Some(allowed) = allowed else {
        return Ok(CorsLayer::permissive());
    };
    let origins = allowed
        .iter()
        .map(|origin| {
            HeaderValue::from_str(origin)
                .map_err(|_| other(format!("`{origin}` in --rpc-cors is no origin")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(CorsLayer::new().allow_origin(AllowOrigin::list(origins)))
}

/// Where origins are restricted, only these names of this machine are answered to: otherwise another page could reach it
/// under a name of its own.
fn host_filter(restricted: bool, port: u16) -> Result<Option<HostFilterLayer>, Error> {
    restricted
        .then(|| {
            HostFilterLayer::new(
                ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")),
            )
        })
        .transpose()
        .map_err(other)
}

/// Who calls, if a proxy in front says so.
fn behind_proxy(headers: &HeaderMap) -> Option<IpAddr> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let forwarded = text(FORWARDED.as_str())
        .and_then(|value| ForwardedHeaderValue::from_forwarded(value).ok())
        .and_then(|value| value.remotest_forwarded_for_ip());
    let by_list = || {
        text("x-forwarded-for")
            .and_then(|value| ForwardedHeaderValue::from_x_forwarded_for(value).ok())
            .and_then(|value| value.remotest_forwarded_for_ip())
    };
    let real = || text("x-real-ip")?.parse().ok();
    forwarded.or_else(by_list).or_else(real)
}

/// Begins to accept connections.
fn open(door: Door, shared: Shared) -> Result<(), Error> {
    let Door {
        listener,
        address,
        endpoint,
    } = door;
    let layers = ServiceBuilder::new()
        .option_layer(host_filter(endpoint.cors.is_some(), address.port())?)
        .layer(NodeHealthProxyLayer)
        .layer(PageLayer)
        .layer(cors(endpoint.cors.as_deref())?);
    let builder = JsonServer::builder()
        .max_request_body_size(endpoint.max_payload_in_mb.saturating_mul(MEGABYTE))
        .max_response_body_size(endpoint.max_payload_out_mb.saturating_mul(MEGABYTE))
        .max_connections(endpoint.max_connections)
        .max_subscriptions_per_connection(endpoint.max_subscriptions_per_connection)
        .enable_ws_ping(
            PingConfig::new()
                .ping_interval(Duration::from_secs(30))
                .inactive_limit(Duration::from_secs(60))
                .max_failures(3),
        )
        .set_http_middleware(layers)
        .set_message_buffer_capacity(endpoint.max_buffer_capacity_per_connection)
        .set_batch_request_config(endpoint.batch_config)
        .custom_tokio_runtime(shared.handle.clone());
    let builder = match shared.ids.clone() {
        Some(ids) => builder.set_id_provider(ids),
        None => builder.set_id_provider(RandomStringIdProvider::new(16)),
    };
    let builder = builder.to_service_builder();
    let unsafe_calls = deny_unsafe(&address, &endpoint.rpc_methods);
    let listener = {
        let _context = shared.handle.enter();
        tokio::net::TcpListener::from_std(listener).map_err(other)?
    };

    shared.handle.clone().spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shared.stop.clone().shutdown() => return,
            };
            let (socket, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "a connection is not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (builder, endpoint) = (builder.clone(), endpoint.clone());
            let connection = shared.clone();
            let service = tower::service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(unsafe_calls);
                let is_websocket = ws::is_upgrade_request(&request);
                let transport = if is_websocket { "ws" } else { "http" };
                let limits = limits(
                    &endpoint,
                    connection.metrics.clone(),
                    transport,
                    caller(&endpoint, &request, remote.ip()),
                );
                let middleware = RpcServiceBuilder::new()
                    .rpc_logger(connection.logged)
                    .option_layer(limits.clone());
                let mut service = builder
                    .clone()
                    .set_rpc_middleware(middleware)
                    .build(connection.methods.clone(), connection.stop.clone());
                let handle = connection.handle.clone();
                async move {
                    if let Some(limits) = limits.filter(|_| is_websocket) {
                        let closed = service.on_session_closed();
                        handle.spawn(async move {
                            let began = Instant::now();
                            limits.ws_connect();
                            closed.await;
                            limits.ws_disconnect(began);
                        });
                    }
                    let answer: Result<HttpResponse, BoxError> = service.call(request).await;
                    answer
                }
            });
            let until = shared.stop.clone().shutdown();
            shared
                .handle
                .spawn(serve_with_graceful_shutdown(socket, service, until));
        }
    });
    Ok(())
}

/// Whose calls are counted.
fn caller(endpoint: &RpcEndpoint, request: &Request<Incoming>, remote: IpAddr) -> IpAddr {
    if endpoint.rate_limit_trust_proxy_headers {
        behind_proxy(request.headers()).unwrap_or(remote)
    } else {
        remote
    }
}

/// Metrics and rate limit of a call.
fn limits(
    endpoint: &RpcEndpoint,
    metrics: Option<RpcMetrics>,
    transport: &'static str,
    caller: IpAddr,
) -> Option<MiddlewareLayer> {
    let trusted = &endpoint.rate_limit_whitelisted_ips;
    let rate = endpoint
        .rate_limit
        .filter(|_| !trusted.iter().any(|network| network.contains(caller)));
    let layer = MiddlewareLayer::new();
    match (metrics, rate) {
        (None, None) => None,
        (Some(metrics), None) => Some(layer.with_metrics(Metrics::new(metrics, transport))),
        (None, Some(rate)) => Some(layer.with_rate_limit_per_minute(rate)),
        (Some(metrics), Some(rate)) => Some(
            layer
                .with_metrics(Metrics::new(metrics, transport))
                .with_rate_limit_per_minute(rate),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonrpsee::{core::client::ClientT, rpc_params, ws_client::WsClientBuilder};
    use polkadot_sdk::{
        sc_rpc_server::create_rpc_runtime,
        sc_service::{RpcMethods, config::RpcBatchRequestConfig},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    fn configuration(cors: Option<Vec<String>>) -> RpcConfiguration {
        RpcConfiguration {
            addr: None,
            max_connections: 10,
            cors,
            methods: RpcMethods::Auto,
            max_request_size: 1,
            max_response_size: 1,
            id_provider: None,
            max_subs_per_conn: 8,
            port: 0,
            message_buffer_capacity: 8,
            batch_config: RpcBatchRequestConfig::Unlimited,
            rate_limit: None,
            rate_limit_whitelisted_ips: Vec::new(),
            rate_limit_trust_proxy_headers: false,
            request_logger_limit: 1_024,
        }
    }

    fn start(cors: Option<Vec<String>>) -> Server {
        let mut rpc = configuration(cors);
        let mut module = RpcModule::new(());
        module.register_method("version", |_, (), _| "1").unwrap();
        let doors = bind(&rpc).unwrap();
        serve(
            doors,
            module,
            None,
            &mut rpc,
            create_rpc_runtime(10).unwrap(),
        )
        .unwrap()
    }

    /// The answer to a raw request.
    async fn ask(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.listen_addrs()[0]).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(server: &Server, path: &str, host: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        ask(server, &request).await
    }

    #[tokio::test]
    async fn the_page_and_json_rpc_share_a_port() {
        let server = start(None);
        let page = get(&server, "/", "anybody").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains("content-security-policy: default-src 'none'"));
        assert!(page.ends_with("</html>\n"), "{page}");
        let nothing = get(&server, "/nothing", "anybody").await;
        assert!(nothing.starts_with("HTTP/1.1 405"), "{nothing}");

        let body = r#"{"jsonrpc":"2.0","id":1,"method":"version"}"#;
        let post = format!(
            "POST / HTTP/1.1\r\nHost: anybody\r\nOrigin: http://a.example\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = ask(&server, &post).await;
        assert!(
            answer.contains("access-control-allow-origin: *"),
            "{answer}"
        );
        assert!(
            answer.ends_with(r#"{"jsonrpc":"2.0","id":1,"result":"1"}"#),
            "{answer}"
        );
        let port = server.listen_addrs()[0].port();
        let url = format!("ws://127.0.0.1:{port}");
        let socket = WsClientBuilder::default().build(url).await.unwrap();
        let version: String = socket.request("version", rpc_params![]).await.unwrap();
        assert_eq!(version, "1");
        let list: serde_json::Value = socket.request("rpc_methods", rpc_params![]).await.unwrap();
        assert_eq!(
            list,
            serde_json::json!({"methods": ["rpc_methods", "version"]})
        );
    }

    #[tokio::test]
    async fn where_origins_are_restricted_the_page_has_one_name() {
        let server = start(Some(vec!["http://localhost:*".into()]));
        let port = server.listen_addrs()[0].port();
        let own = get(&server, "/", &format!("localhost:{port}")).await;
        assert!(own.starts_with("HTTP/1.1 200"), "{own}");
        let other = get(&server, "/", &format!("a.example:{port}")).await;
        assert!(other.starts_with("HTTP/1.1 403"), "{other}");
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_with_its_address() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut rpc = configuration(None);
        rpc.port = taken.local_addr().unwrap().port();
        let mut endpoints = endpoints(&rpc);
        endpoints
            .iter_mut()
            .for_each(|endpoint| endpoint.retry_random_port = false);
        rpc.addr = Some(endpoints);
        let error = bind(&rpc).err().unwrap().to_string();
        assert!(error.contains(&rpc.port.to_string()), "{error}");
    }

    #[test]
    fn a_proxy_says_who_calls() {
        let says = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            behind_proxy(&headers).map(|address| address.to_string())
        };
        let is = |address: &str| Some(address.to_owned());
        assert_eq!(
            says("forwarded", "for=192.0.2.60;proto=http"),
            is("192.0.2.60")
        );
        assert_eq!(
            says("x-forwarded-for", "192.0.2.61, 192.0.2.62"),
            is("192.0.2.61")
        );
        assert_eq!(says("x-real-ip", "2001:db8::1"), is("2001:db8::1"));
        assert_eq!(says("x-real-ip", "nobody"), None);
        assert_eq!(says("host", "192.0.2.60"), None);
    }

    #[test]
    fn origins_are_restricted_on_request() {
        assert!(cors(None).is_ok());
        assert!(cors(Some(&["https://a.example".into()])).is_ok());
        assert!(cors(Some(&["a\nb".into()])).is_err());
        assert!(host_filter(false, 9944).unwrap().is_none());
        assert!(host_filter(true, 9944).unwrap().is_some());
    }
}
