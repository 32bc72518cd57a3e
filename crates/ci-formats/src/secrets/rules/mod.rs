//! The rules, by issuer. Order is precedence: where two rules match the same bytes, the earlier one names them.

use super::rule::Rule;

mod ai;
mod cloud;
mod forge;
mod generic;
mod registry;
mod service;

/// All rules, most specific first.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    [forge::RULES, cloud::RULES, registry::RULES, ai::RULES, service::RULES, generic::RULES].into_iter().flatten()
}
