//! Executables: the module lists that Go's linker and cargo-auditable leave in ELF files.

use object::elf::PF_W;
use object::{Object as _, ObjectSection as _, ObjectSegment as _, SegmentFlags};

use super::error::{Malformed, Place, Problem};
use super::{Reading, cargo, go};

/// How much of the data segment is searched where there is no section table, as Go's own reader does.
const SEARCHED_BYTES: usize = 1 << 20;

/// Whether the bytes are an ELF file.
pub(super) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// What the executable's build information lists. Most executables have none; one that has it broken is refused.
pub(super) fn executable(path: &str, bytes: &[u8]) -> Result<Reading, Place> {
    let Ok(file) = object::File::parse(bytes) else {
        return Ok(Reading {
            found: Vec::new(),
            problems: vec![Problem::UnreadableExecutable { path: path.to_owned() }],
        });
    };
    let mut reading = Reading::default();
    if let Some(section) = file.section_by_name(".dep-v0") {
        let data = section.data().map_err(|_| Malformed::BuildInfo("section .dep-v0 lies outside of the file"))?;
        reading.found.extend(cargo::audited(data)?);
    }
    let info = match file.section_by_name(".go.buildinfo") {
        Some(section) => {
            let data =
                section.data().map_err(|_| Malformed::BuildInfo("section .go.buildinfo lies outside of the file"))?;
            Some(data.get(
                go::find(data).ok_or(Malformed::BuildInfo("section .go.buildinfo has no Go build information"))?..,
            ))
        }
        None => writable_data(&file).map(|data| data.get(go::find(data)?..)),
    };
    if let Some(info) = info.flatten() {
        let memory = |address: u64, bytes: u64| {
            let inside =
                |segment: &object::Segment<'_, '_>| segment.data_range(address, bytes).ok().flatten().is_some();
            file.segments().find(inside).and_then(|segment| segment.data_range(address, bytes).ok().flatten())
        };
        let pointer_bytes = if file.is_64() { 8 } else { 4 };
        let info = go::read(info, pointer_bytes, &memory)?;
        reading.found.extend(info.found);
        if !info.has_modules {
            reading.problems.push(Problem::NoModules { path: path.to_owned() });
        }
    }
    Ok(reading)
}

/// The start of the first writable segment, where Go's linker puts the build information.
fn writable_data<'data>(file: &object::File<'data>) -> Option<&'data [u8]> {
    let writable = |flags: SegmentFlags| matches!(flags, SegmentFlags::Elf { p_flags, .. } if p_flags.contains(PF_W));
    let segment = file.segments().find(|segment| writable(segment.flags()))?;
    let data = segment.data().ok()?;
    // Alignment counts from address 0, not from where the segment starts.
    let aligned = usize::try_from(segment.address().wrapping_neg() % go::ALIGNMENT as u64).ok()?;
    data.get(aligned..data.len().min(SEARCHED_BYTES))
}
