//! Which rule a result means: by index and id, in the driver or an extension (SARIF 2.1.0 §3.27.5–7, §3.52, §3.54).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Tool {
    pub(super) driver: Component,
    extensions: Option<Vec<Component>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    pub(super) name: Option<String>,
    guid: Option<String>,
    version: Option<String>,
    semantic_version: Option<String>,
    rules: Option<Vec<Rule>>,
}

impl Component {
    pub(super) fn version(&self) -> Option<&str> {
        self.semantic_version.as_deref().or(self.version.as_deref()).filter(|version| !version.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) id: Option<String>,
    default_configuration: Option<Configuration>,
    pub(super) properties: Option<serde_json::Map<String, Value>>,
}

impl Rule {
    pub(super) fn level(&self) -> Option<&str> {
        self.default_configuration.as_ref()?.level.as_deref()
    }
}

#[derive(Deserialize)]
pub(super) struct Configuration {
    pub(super) level: Option<String>,
}

/// A `reportingDescriptorReference` (§3.52).
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference {
    id: Option<String>,
    index: Option<i64>,
    tool_component: Option<ComponentReference>,
}

#[derive(Deserialize)]
struct ComponentReference {
    index: Option<i64>,
    name: Option<String>,
    guid: Option<String>,
}

impl Reference {
    /// What a result says: `rule`, completed by `ruleId` and `ruleIndex`.
    pub(super) fn view<'a>(rule: Option<&'a Self>, id: Option<&'a str>, index: Option<i64>) -> View<'a> {
        View {
            id: id.or_else(|| rule?.id.as_deref()).filter(|id| !id.is_empty()),
            // -1 is the standard's "absent".
            index: index.or_else(|| rule?.index).filter(|&index| index != -1),
            component: rule.and_then(|rule| rule.tool_component.as_ref()),
        }
    }
}

pub(super) struct View<'a> {
    pub(super) id: Option<&'a str>,
    index: Option<i64>,
    component: Option<&'a ComponentReference>,
}

/// What a look-up found.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    /// The rule.
    Rule(&'a Rule),
    /// The reference means two rules at once: its index one, its id another.
    Contradiction,
    /// No such rule; tools may leave metadata out.
    Nothing,
}

impl<'a> Found<'a> {
    pub(super) const fn rule(self) -> Option<&'a Rule> {
        match self {
            Self::Rule(rule) => Some(rule),
            Self::Contradiction | Self::Nothing => None,
        }
    }

    pub(super) const fn contradicts(self) -> bool {
        matches!(self, Self::Contradiction)
    }

    pub(super) fn same(self, other: Self) -> bool {
        matches!((self.rule(), other.rule()), (Some(one), Some(two)) if std::ptr::eq(one, two))
    }
}

/// The rules of a run. Ids are indexed once: a log may have tens of thousands of results.
pub(super) struct Rules<'a> {
    tool: &'a Tool,
    by_id: HashMap<&'a str, Vec<(usize, &'a Rule)>>,
}

impl<'a> Rules<'a> {
    pub(super) fn new(tool: &'a Tool) -> Self {
        let mut by_id: HashMap<&str, Vec<(usize, &Rule)>> = HashMap::new();
        for (number, component) in std::iter::once(&tool.driver).chain(tool.extensions.iter().flatten()).enumerate() {
            for rule in component.rules.iter().flatten() {
                if let Some(id) = rule.id.as_deref() {
                    by_id.entry(id).or_default().push((number, rule));
                }
            }
        }
        Self { tool, by_id }
    }

    pub(super) fn find(&self, reference: &View<'_>) -> Found<'a> {
        let component = match reference.component.map(|wanted| self.component(wanted)) {
            None => None,
            Some(Some(number)) => Some(number),
            Some(None) => return Found::Nothing,
        };
        let by_index = reference.index.and_then(|index| {
            let rules = self.at(component.unwrap_or(0))?.rules.as_ref()?;
            rules.get(usize::try_from(index).ok()?)
        });
        let by_id = reference.id.and_then(|id| self.by_id(id, component));
        match (by_index, by_id, reference.id) {
            (Some(rule), _, None) | (None, Some(rule), _) => Found::Rule(rule),
            // The id may name a part of the rule: `CA1000/1` (§3.27.5).
            (Some(rule), _, Some(id)) if rule.id.as_deref().is_some_and(|full| names(id, full)) => Found::Rule(rule),
            (Some(_), _, Some(_)) => Found::Contradiction,
            (None, None, _) => Found::Nothing,
        }
    }

    /// By exact id, else by the longest leading part of a hierarchical id.
    fn by_id(&self, id: &str, component: Option<usize>) -> Option<&'a Rule> {
        let mut part = Some(id);
        while let Some(wanted) = part {
            let rules = self.by_id.get(wanted).into_iter().flatten();
            if let Some((_, rule)) = rules.clone().find(|(number, _)| component.is_none_or(|only| only == *number)) {
                return Some(rule);
            }
            part = wanted.rsplit_once('/').map(|(shorter, _)| shorter);
        }
        None
    }

    fn at(&self, number: usize) -> Option<&'a Component> {
        match number.checked_sub(1) {
            None => Some(&self.tool.driver),
            Some(extension) => self.tool.extensions.as_ref()?.get(extension),
        }
    }

    /// Number of the component: 0 is the driver, extensions follow.
    fn component(&self, wanted: &ComponentReference) -> Option<usize> {
        let all = || std::iter::once(&self.tool.driver).chain(self.tool.extensions.iter().flatten());
        if let Some(guid) = &wanted.guid {
            return all().position(|component| component.guid.as_ref() == Some(guid));
        }
        match wanted.index.filter(|&index| index != -1) {
            Some(index) => {
                let number = usize::try_from(index).ok()?.checked_add(1)?;
                self.at(number).map(|_| number)
            }
            None => match &wanted.name {
                Some(name) => all().position(|component| component.name.as_ref() == Some(name)),
                None => Some(0),
            },
        }
    }
}

fn names(id: &str, full: &str) -> bool {
    id.strip_prefix(full).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
