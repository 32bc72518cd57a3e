//! Ports: what the release lane needs from the outside world. Implementations live in `ci-adapters`, one folder a system.

mod image_store;

pub use image_store::{Attachment, AttachmentFile, ImageStore, StoreError, StoredManifest};
