//! Real-part launchers and builders for tests. Everything binds 127.0.0.1 on a free port and ends when dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod debian_registry;
mod fault_proxy;
#[cfg(feature = "referrers-registry")]
mod referrers_registry;
mod server;
mod tool;

pub use debian_registry::{DebianRegistry, RegistrySetup, Tls};
pub use fault_proxy::{Fault, FaultProxy, forward};
#[cfg(feature = "referrers-registry")]
pub use referrers_registry::ReferrersRegistry;
pub use server::{Request, Response, Server};
pub use tool::{require, run};
