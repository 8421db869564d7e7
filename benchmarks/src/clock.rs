// SPDX-License-Identifier: GPL-3.0-or-later

//! What is measured by: processor time where one thread works, so that what else runs on the machine counts little; time
//! where threads are to work at once, or where a disk takes part.

use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;

/// Nanoseconds of processor time that all threads of this process have used.
fn processor() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).unsigned_abs()
}

/// How long something took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Seconds of processor time.
    pub processor: f64,
    /// Seconds.
    pub wall: f64,
}

/// Does something and says how long it took.
pub fn took<T>(action: impl FnOnce() -> T) -> (T, Took) {
    let (began, used) = (Instant::now(), processor());
    let result = action();
    let took = Took {
        processor: (processor() - used) as f64 / 1e9,
        wall: began.elapsed().as_secs_f64(),
    };
    (result, took)
}
