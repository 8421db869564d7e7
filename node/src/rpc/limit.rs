//! How much of one kind of work runs at a time, and how many calls may wait for it.
//!
//! The limits are per node, not per client: they keep the node alive. Whoever serves the public puts a proxy in front.

use super::error::RpcError;
use std::{future::Future, sync::Arc, thread::available_parallelism};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest name of a custom section that is looked for, in bytes.
pub const MAX_SECTION_NAME: usize = 256;
/// Receipts in one answer of `gear_round`.
pub const MAX_RECEIPTS: usize = 1_000;

/// A bound on running and waiting calls.
#[derive(Clone, Debug)]
pub struct Limit {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// Held while a call runs.
struct Permit {
    _running: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Limit {
    /// `running` calls at a time, and as many as `waiting` more.
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Semaphore::new(running.saturating_add(waiting))),
        }
    }

    /// For queries on stored states.
    pub fn reads() -> Self {
        Self::new(8, 1_024)
    }

    /// For those who wait for messages: each of them may have to look at once.
    pub fn watched() -> Self {
        Self::new(4, crate::lifecycle::MOST_READERS)
    }

    /// For runs of programs: half of the cores, so that rounds always find free ones.
    pub fn calculations() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::new((cores / 2).max(1), 64)
    }

    /// For questions to the Ethereum node.
    pub fn lookups() -> Self {
        Self::new(16, 256)
    }

    async fn permit(&self) -> Result<Permit, RpcError> {
        let place = self.places.clone().try_acquire_owned();
        let _place = place.map_err(|_| RpcError::busy())?;
        let running = self.running.clone().acquire_owned().await;
        let _running = running.map_err(|_| RpcError::busy())?;
        Ok(Permit { _running, _place })
    }

    /// Runs `work` on a blocking thread. It ends there even if the caller goes away, and holds its permit until then.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`RpcError::Internal`] if too many wait, or `work` panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let permit = self.permit().await?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a query failed; this is a fault of the node");
            Err(RpcError::Internal("the query failed".into()))
        })
    }

    /// Runs `work` in place.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`RpcError::Internal`] if too many wait.
    pub async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, RpcError>>,
    ) -> Result<T, RpcError> {
        let _permit = self.permit().await?;
        work.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn bounds_running_and_waiting() {
        let limit = Limit::new(1, 1);
        let (release, released) = mpsc::channel::<()>();
        let (began, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let first = {
            let (limit, began) = (limit.clone(), began.clone());
            tokio::spawn(async move {
                let work = move || {
                    let _ = began.send(1);
                    released.recv().unwrap();
                    Ok(1)
                };
                limit.blocking(work).await
            })
        };
        assert_eq!(has_begun.recv().await, Some(1));
        let mut second = Box::pin(limit.blocking(move || {
            let _ = began.send(2);
            Ok(2)
        }));
        // It takes the place in the queue, and does not begin.
        assert!(futures::poll!(&mut second).is_pending());
        assert!(has_begun.try_recv().is_err());
        assert_eq!(limit.blocking(|| Ok(3)).await, Err(RpcError::busy()));
        assert_eq!(limit.run(async { Ok(3) }).await, Err(RpcError::busy()));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(1));
        assert_eq!(second.await, Ok(2));
        assert_eq!(limit.blocking(|| Ok(3)).await, Ok(3));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let limit = Limit::new(1, 0);
        let failed = limit.blocking(|| -> Result<(), RpcError> { panic!("on purpose") });
        assert_eq!(
            failed.await,
            Err(RpcError::Internal("the query failed".into()))
        );
        assert_eq!(limit.blocking(|| Ok(1)).await, Ok(1));
    }
}
