//! Port implementations, one folder a system: OCI image layouts, OCI registries, GitHub's OIDC service.

mod attach;
mod copy;
pub mod github_oidc;
mod http;
mod manifest;
pub mod oci_layout;
pub mod oci_registry;
mod secret;
mod target;

pub use copy::copy_layout;
pub use oci_layout::OciLayout;
pub use oci_registry::{Credentials, CredentialsError, Login, Registry, RegistryError, RegistryOptions};
pub use secret::Secret;
pub use target::{OpenOptions, TargetError, open};
