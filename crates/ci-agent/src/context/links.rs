//! Where a symbolic link leads, decided on paths alone: links of a set, no file system.

use std::collections::BTreeMap;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// To this path inside the root (empty: the root itself).
    Inside(String),
    /// Out of the root, to an absolute path, or round in circles.
    Escapes,
}

/// Follows `path` through `links` (link path to target text) the way a kernel does: component by component, so that `..` behind
/// a link to a directory counts from where the link leads.
pub(crate) fn resolve(path: &str, links: &BTreeMap<String, String>) -> Resolved {
    // As Linux, ELOOP.
    const MAX_LINKS: usize = 40;
    let mut todo: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    let (mut done, mut followed): (Vec<String>, usize) = (Vec::new(), 0);
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => {}
            ".." => {
                if done.pop().is_none() {
                    return Resolved::Escapes;
                }
            }
            _ => {
                done.push(part);
                if let Some(target) = links.get(&done.join("/")) {
                    followed += 1;
                    if target.starts_with('/') || target.is_empty() || followed > MAX_LINKS {
                        return Resolved::Escapes;
                    }
                    done.pop();
                    todo.extend(target.rsplit('/').map(str::to_owned));
                }
            }
        }
    }
    Resolved::Inside(done.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(path: &str, links: &[(&str, &str)]) -> Resolved {
        resolve(path, &links.iter().map(|(path, target)| ((*path).to_owned(), (*target).to_owned())).collect())
    }

    #[test]
    fn links_inside_resolve() {
        assert_eq!(lead("a/l", &[("a/l", "../b/c")]), Resolved::Inside("b/c".to_owned()));
        assert_eq!(lead("l/x", &[("l", "d"), ("d", "e/f")]), Resolved::Inside("e/f/x".to_owned()));
    }

    #[test]
    fn links_outside_escape() {
        for links in [&[("l", "../x")][..], &[("l", "/etc")], &[("l", "m"), ("m", "l")], &[("l", "")]] {
            assert_eq!(lead("l", links), Resolved::Escapes, "{links:?}");
        }
    }

    #[test]
    fn a_step_up_behind_a_link_counts_from_its_target() {
        // By text alone this stays inside: p/q/l/../z is p/q/z.
        assert_eq!(lead("m", &[("p/q/l", "../.."), ("m", "p/q/l/../z")]), Resolved::Escapes);
    }
}
