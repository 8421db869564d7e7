//! Distance between processes of one machine: a way on which every byte comes later, or none while it is cut.
//!
//! What an operating system can do by `tc … netem` and by `iptables` needs root and kernel modules that small machines lack.
//! Nodes keep the connections that they have, so it is enough that each is told the ways to its peers and not their own
//! addresses; whether one of them went around is counted from `/proc/net/tcp` ([`strangers`]).

use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Chunks under way in one direction of a connection. With more, the sender waits, as on a full network.
const UNDER_WAY: usize = 1_024;

/// Passes connections on to a port of 127.0.0.1, each byte after a delay, in both directions.
#[derive(Debug)]
pub struct DelayedLink {
    port: u16,
    target: u16,
    /// The link's own ports towards the target.
    own: Arc<Mutex<BTreeSet<u16>>>,
    /// Whether it is cut.
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// One connection, until one side ends it or the link is cut.
async fn carry(
    inwards: TcpStream,
    target: u16,
    delay: Duration,
    own: Arc<Mutex<BTreeSet<u16>>>,
    mut cut: watch::Receiver<bool>,
) {
    if *cut.borrow() {
        return;
    }
    let Ok(outwards) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    if let Ok(address) = outwards.local_addr() {
        let mut ports = own.lock().unwrap_or_else(PoisonError::into_inner);
        ports.insert(address.port());
    }
    let _ = (inwards.set_nodelay(true), outwards.set_nodelay(true));
    let (from, to) = (inwards.into_split(), outwards.into_split());
    tokio::select! {
        _ = async { tokio::join!(late(from.0, to.1, delay), late(to.0, from.1, delay)) } => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}

impl DelayedLink {
    /// Listens on a free port and passes on to `target`.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn start(target: u16, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let own = Arc::<Mutex<BTreeSet<u16>>>::default();
        let ports = own.clone();
        let (cut, cuts) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((inwards, _)) = listener.accept().await {
                tokio::spawn(carry(inwards, target, delay, ports.clone(), cuts.clone()));
            }
        });
        Ok(Self {
            port,
            target,
            own,
            cut,
            task,
        })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections, and lets none through until it is [healed](Self::heal).
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        self.cut.send_replace(false);
    }
}

/// Connections to the targets of these links that did not come through one of them.
///
/// # Errors
///
/// If the operating system does not say, as only Linux does.
pub fn strangers<'a>(links: impl IntoIterator<Item = &'a DelayedLink>) -> Result<usize> {
    let table = std::fs::read_to_string("/proc/net/tcp").context("no /proc/net/tcp")?;
    let (mut targets, mut own) = (BTreeSet::new(), BTreeSet::<u16>::new());
    for link in links {
        targets.insert(link.target);
        own.extend(
            link.own
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter(),
        );
    }
    let peers = targets.iter().flat_map(|target| peers_of(&table, *target));
    Ok(peers.filter(|peer| !own.contains(peer)).count())
}

/// Ports from which there are open connections to a local port.
fn peers_of(table: &str, port: u16) -> impl Iterator<Item = u16> + '_ {
    table.lines().skip(1).filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
        let port_of = |address: &str| u16::from_str_radix(address.split_once(':')?.1, 16).ok();
        // 01: established.
        (state == "01" && port_of(local)? == port).then(|| port_of(remote))?
    })
}

impl Drop for DelayedLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One direction, until one side ends it.
async fn late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let read = async move {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let chunk = buffer.get(..length).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, chunk)).await.is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = chunks.recv().await {
            sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_later_in_both_directions_and_strangers_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().port();
        let delay = Duration::from_millis(40);
        let link = DelayedLink::start(target, delay).await.unwrap();
        let mut near = TcpStream::connect(("127.0.0.1", link.port()))
            .await
            .unwrap();
        let (mut far, _) = listener.accept().await.unwrap();

        let began = Instant::now();
        near.write_all(b"there").await.unwrap();
        let mut said = [0; 5];
        far.read_exact(&mut said).await.unwrap();
        assert!(began.elapsed() >= delay);
        far.write_all(b"again").await.unwrap();
        near.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"again");
        assert!(began.elapsed() >= 2 * delay);

        assert_eq!(strangers([&link]).unwrap(), 0);
        let _around = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
        let (_accepted, _) = listener.accept().await.unwrap();
        assert_eq!(strangers([&link]).unwrap(), 1);
    }

    #[tokio::test]
    async fn a_cut_link_carries_nothing_until_it_is_healed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().port();
        let link = DelayedLink::start(target, Duration::ZERO).await.unwrap();
        let near = || TcpStream::connect(("127.0.0.1", link.port()));
        let mut first = near().await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();

        link.cut();
        let mut said = [0; 4];
        assert!(matches!(first.read(&mut said).await, Ok(0) | Err(_)));
        assert!(matches!(far.read(&mut said).await, Ok(0) | Err(_)));
        let mut second = near().await.unwrap();
        assert!(matches!(second.read(&mut said).await, Ok(0) | Err(_)));

        link.heal();
        let mut third = near().await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        third.write_all(b"well").await.unwrap();
        far.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"well");
    }
}
