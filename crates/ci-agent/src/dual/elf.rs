//! Two ELF files: which section differs first, and whether it is more than the build id.

use object::{Object as _, ObjectSection as _};

use super::archive::Found;
use super::content;

/// Name of the section that holds the build id.
const BUILD_ID: &str = ".note.gnu.build-id";

/// Name and content.
type Section = (String, Vec<u8>);

/// The first difference; `None` where a file cannot be read or the sections agree.
pub(super) fn difference(one: &[u8], two: &[u8]) -> Option<Found> {
    let (a, b) = (object::File::parse(one).ok()?, object::File::parse(two).ok()?);
    let sections = |file: &object::File<'_>| -> Vec<Section> {
        let section = |s: object::Section<'_, '_>| {
            (
                String::from_utf8_lossy(s.name_bytes().unwrap_or_default()).into_owned(),
                s.data().unwrap_or_default().to_vec(),
            )
        };
        file.sections().map(section).collect()
    };
    let (x, y) = (sections(&a), sections(&b));
    if let Some(((first, _), (second, _))) = x.iter().zip(&y).find(|((x, _), (y, _))| x != y) {
        return Some(Found::here("section names", first, second));
    }
    if x.len() != y.len() {
        return Some(Found::here("number of sections", x.len().to_string(), y.len().to_string()));
    }
    // A build id is a hash of the rest: it is the cause only where nothing else differs.
    let differs = |((_, x), (_, y)): &(&Section, &Section)| x != y;
    if let Some(((name, x), (_, y))) = x.iter().zip(&y).filter(|((name, _), _)| name != BUILD_ID).find(differs) {
        let found = content::bytes(x, y);
        return Some(found.inside(Some(name)));
    }
    if x.iter().zip(&y).any(|pair| differs(&pair)) {
        let id =
            |file: &object::File<'_>| file.build_id().ok().flatten().map_or("none".to_owned(), ci_types::digest::hex);
        return Some(Found::here("build-id", id(&a), id(&b)).inside(Some(BUILD_ID)));
    }
    None
}
