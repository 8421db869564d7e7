//! A door to an Ethereum node that can be shut, or opened to another node, while those who use it keep their address.

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes connections on to a port of 127.0.0.1, or to nobody.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    target: watch::Sender<Option<u16>>,
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
        let (target, targets) = watch::channel(Some(target));
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
        self.target.send_replace(target);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, until one side ends it or the target changes.
async fn pass(mut inwards: TcpStream, mut targets: watch::Receiver<Option<u16>>) {
    let Some(target) = *targets.borrow_and_update() else {
        return;
    };
    let Ok(mut outwards) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut inwards, &mut outwards) => {}
        _ = targets.changed() => {}
    }
}
