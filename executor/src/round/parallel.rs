//! Many pieces of work of very different length on the threads of the pool.
//!
//! Every thread takes the next piece when it is done with one. So one long piece holds up nothing but itself: it is never
//! bundled with others, as a parallel iterator would do to save on splitting.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Does `work` with every item, on the pool of the calling thread, and gives the results in the order of the items. Those
/// for which `length` is greatest begin first.
pub(super) fn in_parallel<T: Send, R: Send>(
    items: Vec<T>,
    length: impl Fn(&T) -> u64,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = rayon::current_num_threads().min(items.len());
    if threads < 2 {
        return items.into_iter().map(work).collect();
    }
    let mut order: Vec<(usize, T)> = items.into_iter().enumerate().collect();
    order.sort_by_cached_key(|(_, item)| std::cmp::Reverse(length(item)));
    let count = order.len();
    let order: Vec<Mutex<Option<(usize, T)>>> = order
        .into_iter()
        .map(|piece| Mutex::new(Some(piece)))
        .collect();
    let next = AtomicUsize::new(0);
    let take = || order.get(next.fetch_add(1, Relaxed))?.lock().take();
    let mut done: Vec<(usize, R)> = Vec::with_capacity(count);
    let all = Mutex::new(&mut done);
    rayon::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                let mut own = Vec::new();
                while let Some((index, item)) = take() {
                    own.push((index, work(item)));
                }
                all.lock().append(&mut own);
            });
        }
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    }

    #[test]
    fn results_come_in_order() {
        for threads in [1, 2, 8] {
            let items: Vec<usize> = (0..1_000).collect();
            let doubled = pool(threads)
                .install(|| in_parallel(items, |item| *item as u64 % 7, |item| item * 2));
            assert!(doubled.iter().enumerate().all(|(at, item)| *item == at * 2));
        }
        assert!(in_parallel(Vec::<u8>::new(), |_| 0, |item| item).is_empty());
    }

    #[test]
    fn a_long_piece_holds_up_no_other() {
        // The first piece ends when all others have ended, wherever they stand.
        let (done, wait) = channel();
        let (done, wait) = (Mutex::new(done), Mutex::new(wait));
        let items: Vec<usize> = (0..64).collect();
        let work = |item: usize| {
            if item == 5 {
                let wait = wait.lock();
                (0..63).for_each(|_| wait.recv().unwrap());
            } else {
                done.lock().send(()).unwrap();
            }
        };
        let length = |item: &usize| u64::from(*item == 5);
        let ended = pool(2).install(|| in_parallel(items, length, work));
        assert_eq!(ended.len(), 64);
    }
}
