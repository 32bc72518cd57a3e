//! The smallest ELF file that holds a section: what the linkers' sections are wrapped in for tests.

/// Where the writable segment is loaded.
pub(crate) const ADDRESS: u64 = 0x40_0000;
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// A 64-bit little-endian ELF file with one writable segment, which holds `data`, and a section of that name over it;
/// without a name there is no section table.
pub(crate) fn elf(name: Option<&str>, data: &[u8]) -> Vec<u8> {
    let data_at = (HEADER + PROGRAM_HEADER) as u64;
    let names = format!("\0{}\0.shstrtab\0", name.unwrap_or_default());
    let names_at = data_at + data.len() as u64;
    let sections_at = names_at + names.len() as u64;
    let (table_at, count) = if name.is_some() { (sections_at, 3_u16) } else { (0, 0) };
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // e_type EXEC, e_machine x86-64, e_version, e_entry, e_phoff, e_shoff, e_flags, then sizes and counts.
    out.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    out.extend([ADDRESS, HEADER as u64, table_at].map(u64::to_le_bytes).concat());
    out.extend(0_u32.to_le_bytes());
    let last = if name.is_some() { 2 } else { 0 };
    out.extend([HEADER as u16, PROGRAM_HEADER as u16, 1, 64, count, last].map(u16::to_le_bytes).concat());
    // PT_LOAD, readable and writable: offset, virtual and physical address, sizes, alignment.
    out.extend([1_u32, 6].map(u32::to_le_bytes).concat());
    let length = data.len() as u64;
    out.extend([data_at, ADDRESS, ADDRESS, length, length, 16].map(u64::to_le_bytes).concat());
    out.extend(data);
    out.extend(names.as_bytes());
    if let Some(name) = name {
        out.extend([0; 64]);
        let name_end = 2 + name.len() as u32;
        for (name_at, kind, flags, address, at, bytes) in
            [(1, 1_u32, 3_u64, ADDRESS, data_at, length), (name_end, 3, 0, 0, names_at, names.len() as u64)]
        {
            out.extend([name_at, kind].map(u32::to_le_bytes).concat());
            out.extend([flags, address, at, bytes].map(u64::to_le_bytes).concat());
            out.extend([0_u32, 0].map(u32::to_le_bytes).concat());
            out.extend([16_u64, 0].map(u64::to_le_bytes).concat());
        }
    }
    out
}
