//! Whether a CycloneDX and an SPDX document list the same components.

use std::collections::BTreeSet;

use super::{Component, Cyclonedx, Spdx};

/// A component that only one of the two documents lists; by package URL, else by `name@version`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ParityGap {
    /// Only the CycloneDX document has it.
    #[error("{0} is in the CycloneDX SBOM only; make both from the same image")]
    OnlyInCyclonedx(String),
    /// Only the SPDX document has it.
    #[error("{0} is in the SPDX SBOM only; make both from the same image")]
    OnlyInSpdx(String),
}

/// Compares the components of two documents.
///
/// # Errors
/// Every component that is missing on one side, sorted.
pub fn parity(cyclonedx: &Cyclonedx, spdx: &Spdx) -> Result<(), Vec<ParityGap>> {
    let identities = |components: &[Component]| components.iter().map(Component::identity).collect::<BTreeSet<_>>();
    let (left, right) = (identities(&cyclonedx.components), identities(&spdx.components));
    let only_left = left.difference(&right).cloned().map(ParityGap::OnlyInCyclonedx);
    let only_right = right.difference(&left).cloned().map(ParityGap::OnlyInSpdx);
    let gaps: Vec<ParityGap> = only_left.chain(only_right).collect();
    if gaps.is_empty() { Ok(()) } else { Err(gaps) }
}
