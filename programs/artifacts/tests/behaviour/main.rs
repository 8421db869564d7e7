// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs do what their descriptions say. What an executor adds is tested there.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod counter;
mod fan_out;
mod host;
mod ping;
mod solidity;
mod trouble;
mod vft;
