//! Distance between processes of one machine: a door through which every byte comes later.
//!
//! What an operating system can do by `tc … netem` needs root and a kernel module that small machines lack. Nodes keep the
//! connections that they have, so it is enough that each is told its peers' doors and not their own addresses; whether one
//! of them went around is counted from `/proc/net/tcp` ([`DelayedLink::strangers`]).

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
    sync::mpsc,
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
    task: JoinHandle<()>,
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
        let task = tokio::spawn(async move {
            while let Ok((inwards, _)) = listener.accept().await {
                let ports = ports.clone();
                tokio::spawn(async move {
                    let Ok(outwards) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    if let Ok(address) = outwards.local_addr() {
                        let mut ports = ports.lock().unwrap_or_else(PoisonError::into_inner);
                        ports.insert(address.port());
                    }
                    let _ = (inwards.set_nodelay(true), outwards.set_nodelay(true));
                    let (from, to) = (inwards.into_split(), outwards.into_split());
                    tokio::join!(late(from.0, to.1, delay), late(to.0, from.1, delay));
                });
            }
        });
        Ok(Self {
            port,
            target,
            own,
            task,
        })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Connections of the target that went through no door: not to it through this one, and not from it through one of
    /// `doors`. Nodes connect from the port at which they listen, so both kinds look alike.
    ///
    /// # Errors
    ///
    /// If the operating system does not say, as only Linux does.
    pub fn strangers(&self, doors: &[u16]) -> Result<usize> {
        let table = std::fs::read_to_string("/proc/net/tcp").context("no /proc/net/tcp")?;
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(peers_of(&table, self.target)
            .filter(|peer| !own.contains(peer) && !doors.contains(peer))
            .count())
    }
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

        assert_eq!(link.strangers(&[]).unwrap(), 0);
        let around = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
        let (_accepted, _) = listener.accept().await.unwrap();
        assert_eq!(link.strangers(&[]).unwrap(), 1);
        let door = around.local_addr().unwrap().port();
        assert_eq!(link.strangers(&[door]).unwrap(), 0);
    }
}
