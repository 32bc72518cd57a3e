//! For tests: a complete good release to break one piece of, an OIDC issuer, and real servers. Servers bind 127.0.0.1 on a
//! free port and end when dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::missing_panics_doc)]

mod debian_registry;
mod fault_proxy;
pub mod oidc;
#[cfg(feature = "referrers-registry")]
mod referrers_registry;
pub mod release;
mod server;
mod tool;
mod unsealed;

pub use debian_registry::{DebianRegistry, RegistrySetup, Tls};
pub use fault_proxy::{Fault, FaultProxy, forward};
#[cfg(feature = "referrers-registry")]
pub use referrers_registry::ReferrersRegistry;
pub use server::{Request, Response, Server};
pub use tool::{require, run};
pub use unsealed::Unsealed;
