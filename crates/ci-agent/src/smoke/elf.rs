//! What a program of the image loads, found without running it: ELF interpreters and libraries as ld.so(8) and musl would
//! search for them, and the interpreters of scripts. Whatever the image does not hold is drift.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ci_types::record::Dependency;
use object::elf;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind};

use crate::rootfs::{EntryKind, Tree};

/// Interpreters of interpreters that the kernel follows at most (`BINPRM_MAX_RECURSION` is 5).
const MAX_INTERPRETERS: u32 = 5;
/// A program or library larger than this is not read.
const MAX_FILE: u64 = 2 << 30;

/// The image as the loader sees it.
pub(super) struct Loader<'a> {
    pub(super) tree: &'a Tree,
    /// Where the tree was unpacked.
    pub(super) root: &'a Path,
    /// `PATH` of the image, for `/usr/bin/env`.
    pub(super) path: &'a str,
    /// `LD_LIBRARY_PATH` of the image.
    pub(super) library_path: &'a str,
}

/// What one program needs.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) dependencies: Vec<Dependency>,
    /// Image paths (without leading `/`) of everything that was found.
    pub(super) loaded: BTreeSet<String>,
    /// An ELF program that asks for no interpreter and no library.
    pub(super) is_static: bool,
}

struct Object {
    class64: bool,
    machine: elf::Machine,
    interpreter: Option<String>,
    needed: Vec<String>,
    rpath: Vec<String>,
    runpath: Vec<String>,
}

impl Loader<'_> {
    /// Finds a program as execvp(3) would: by its path, or on `PATH`. Gives the absolute path, links not resolved.
    pub(super) fn program(&self, name: &str, cwd: &str) -> Option<String> {
        let runnable = |path: &str| {
            let (_, entry) = self.tree.resolve(path)?;
            (matches!(entry.kind, EntryKind::File { .. }) && entry.mode & 0o111 != 0).then(|| path.to_owned())
        };
        if name.is_empty() {
            None
        } else if name.contains('/') {
            runnable(&absolute(cwd, name))
        } else {
            self.path
                .split(':')
                .find_map(|dir| runnable(&format!("{}/{name}", absolute(cwd, dir).trim_end_matches('/'))))
        }
    }

    /// Everything that the program at `path` loads.
    pub(super) fn needs(&self, path: &str) -> Needs {
        let mut needs = Needs::default();
        self.program_needs(path, 0, &mut needs);
        needs.dependencies.sort_by(|a, b| (&a.of, &a.needs).cmp(&(&b.of, &b.needs)));
        needs.dependencies.dedup();
        needs
    }

    fn program_needs(&self, path: &str, depth: u32, needs: &mut Needs) {
        let missing = |what: &str| Dependency { of: path.to_owned(), needs: what.to_owned(), resolved: None };
        let Some((resolved, bytes)) = self.read(path) else {
            needs.dependencies.push(missing("a file that can be read"));
            return;
        };
        if !needs.loaded.insert(resolved.clone()) {
            return;
        }
        if let Some(line) = bytes.strip_prefix(b"#!") {
            if depth >= MAX_INTERPRETERS {
                needs.dependencies.push(missing("fewer interpreters of interpreters"));
                return;
            }
            self.script(path, line, depth, needs);
            return;
        }
        match parse(&bytes) {
            Ok(object) => {
                if object.machine != host_machine() {
                    needs.dependencies.push(missing(&format!("a program for {}", std::env::consts::ARCH)));
                    return;
                }
                needs.is_static = depth == 0 && object.interpreter.is_none() && object.needed.is_empty();
                self.libraries(path, &resolved, object, needs);
            }
            Err(reason) => needs.dependencies.push(missing(reason)),
        }
    }

    fn script(&self, path: &str, line: &[u8], depth: u32, needs: &mut Needs) {
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len()).min(254);
        let line = String::from_utf8_lossy(&line[..end]);
        let mut words = line.split_whitespace();
        let interpreter = words.next().unwrap_or_default().to_owned();
        let mut wanted = vec![(interpreter.clone(), self.program(&interpreter, "/"))];
        if interpreter.ends_with("/env") {
            let named = words.find(|word| !word.starts_with('-') && !word.contains('='));
            if let Some(name) = named {
                wanted.push((name.to_owned(), self.program(name, "/")));
            }
        }
        for (needed, found) in wanted {
            let resolved =
                found.as_deref().and_then(|found| self.tree.resolve(found)).map(|(found, _)| format!("/{found}"));
            needs.dependencies.push(Dependency { of: path.to_owned(), needs: needed, resolved });
            if let Some(found) = found {
                self.program_needs(&found, depth + 1, needs);
            }
        }
    }

    fn libraries(&self, program: &str, resolved: &str, main: Object, needs: &mut Needs) {
        let (class64, machine) = (main.class64, main.machine);
        let mut musl = None;
        if let Some(interpreter) = &main.interpreter {
            let found = self.matching(interpreter, class64, machine);
            if interpreter.contains("/ld-musl-") {
                musl.clone_from(&found);
            }
            needs.loaded.extend(found.iter().map(|path| path.trim_start_matches('/').to_owned()));
            needs.dependencies.push(Dependency { of: program.to_owned(), needs: interpreter.clone(), resolved: found });
        }
        let cache = self.cache();
        let mut seen = BTreeSet::new();
        // Who asks, the object, and the RPATHs inherited from those who loaded it.
        let mut queue = vec![(program.to_owned(), resolved.to_owned(), main, Vec::<String>::new())];
        while let Some((of, at, object, inherited)) = queue.pop() {
            let origin = format!("/{}", at.rsplit_once('/').map_or("", |(folder, _)| folder));
            let expand = |dirs: &[String]| -> Vec<String> {
                dirs.iter().map(|dir| dir.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin)).collect()
            };
            // RPATH counts only where there is no RUNPATH (ld.so(8)).
            let rpath =
                if object.runpath.is_empty() { [expand(&object.rpath), inherited].concat() } else { Vec::new() };
            let library_path = self.library_path.split([':', ';']).filter(|dir| !dir.is_empty()).map(str::to_owned);
            let mut dirs: Vec<String> = rpath.clone();
            dirs.extend(library_path);
            dirs.extend(expand(&object.runpath));
            for needed in &object.needed {
                let found = if needed.contains('/') {
                    self.matching(needed, class64, machine)
                } else if musl.is_some() && is_musl_itself(needed) {
                    musl.clone()
                } else {
                    let standard = self.standard_dirs(musl.is_some(), class64, machine);
                    let in_dir = |dir: &String| self.matching(&format!("{dir}/{needed}"), class64, machine);
                    let cached = || cache.get(needed)?.iter().find_map(|path| self.matching(path, class64, machine));
                    dirs.iter().find_map(in_dir).or_else(cached).or_else(|| standard.iter().find_map(in_dir))
                };
                needs.dependencies.push(Dependency { of: of.clone(), needs: needed.clone(), resolved: found.clone() });
                let Some(found) = found else { continue };
                let plain = found.trim_start_matches('/').to_owned();
                needs.loaded.insert(plain.clone());
                if !seen.insert(plain.clone()) {
                    continue;
                }
                if let Some(library) = self.read(&found).and_then(|(_, bytes)| parse(&bytes).ok()) {
                    queue.push((found, plain, library, rpath.clone()));
                }
            }
        }
    }

    /// The final path of an object file of the right kind, with leading `/`.
    fn matching(&self, path: &str, class64: bool, machine: elf::Machine) -> Option<String> {
        let (resolved, bytes) = self.read_start(path, 64)?;
        let class = bytes.get(4)?;
        let little = elf::DataEncoding(*bytes.get(5)?) == elf::ELFDATA2LSB;
        let raw = [*bytes.get(18)?, *bytes.get(19)?];
        let found = elf::Machine(if little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) });
        let fits =
            bytes.starts_with(b"\x7fELF") && (elf::FileClass(*class) == elf::ELFCLASS64) == class64 && found == machine;
        fits.then(|| format!("/{resolved}"))
    }

    fn read(&self, path: &str) -> Option<(String, Vec<u8>)> {
        self.read_start(path, MAX_FILE)
    }

    fn read_start(&self, path: &str, limit: u64) -> Option<(String, Vec<u8>)> {
        use std::io::Read as _;
        let (resolved, entry) = self.tree.resolve(path)?;
        let EntryKind::File { .. } = entry.kind else { return None };
        let mut bytes = Vec::new();
        // No part of a resolved path is a link, and only we have written below the root.
        let file = std::fs::File::open(self.root.join(&resolved)).ok()?;
        file.take(limit).read_to_end(&mut bytes).ok()?;
        Some((resolved, bytes))
    }

    fn standard_dirs(&self, musl: bool, class64: bool, machine: elf::Machine) -> Vec<String> {
        if musl {
            let arch = std::env::consts::ARCH;
            let configured = self.read(&format!("/etc/ld-musl-{arch}.path"));
            let text = configured.map_or_else(
                || "/lib:/usr/local/lib:/usr/lib".to_owned(),
                |(_, bytes)| String::from_utf8_lossy(&bytes).into_owned(),
            );
            return text.split([':', '\n']).filter(|dir| !dir.is_empty()).map(str::to_owned).collect();
        }
        let triplet = match machine {
            elf::EM_X86_64 => "x86_64-linux-gnu",
            elf::EM_AARCH64 => "aarch64-linux-gnu",
            elf::EM_386 => "i386-linux-gnu",
            elf::EM_ARM => "arm-linux-gnueabihf",
            elf::EM_RISCV => "riscv64-linux-gnu",
            elf::EM_S390 => "s390x-linux-gnu",
            elf::EM_PPC64 => "powerpc64le-linux-gnu",
            _ => "",
        };
        let mut dirs = Vec::new();
        if !triplet.is_empty() {
            dirs.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")]);
        }
        if class64 {
            dirs.extend(["/lib64".to_owned(), "/usr/lib64".to_owned()]);
        }
        dirs.extend(["/lib".to_owned(), "/usr/lib".to_owned()]);
        dirs
    }

    /// Names and paths of `/etc/ld.so.cache` (glibc, `dl-cache.h`, new format): what `ld.so.conf` says counts at run time only
    /// where ldconfig wrote it there.
    fn cache(&self) -> BTreeMap<String, Vec<String>> {
        let mut entries = BTreeMap::<String, Vec<String>>::new();
        let Some((_, bytes)) = self.read("/etc/ld.so.cache") else { return entries };
        const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
        let Some(start) = bytes.windows(MAGIC.len()).position(|part| part == MAGIC) else { return entries };
        let cache = &bytes[start..];
        let word = |at: usize| {
            let raw = cache.get(at..at + 4)?;
            Some(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize)
        };
        let text = |at: usize| {
            let rest = cache.get(at..)?;
            let end = rest.iter().position(|byte| *byte == 0)?;
            String::from_utf8(rest[..end].to_vec()).ok()
        };
        let count = word(20).unwrap_or(0).min(cache.len() / 24);
        for index in 0..count {
            let at = 48 + index * 24;
            if let (Some(name), Some(path)) = (word(at + 4).and_then(text), word(at + 8).and_then(text)) {
                entries.entry(name).or_default().push(path);
            }
        }
        entries
    }
}

/// `path` from `cwd`, with one leading `/`; `.` and `..` stay for the tree to resolve.
pub(super) fn absolute(cwd: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{}/{path}", cwd.trim_matches('/')).replace("//", "/")
    }
}

/// musl's loader is its C library and answers to all these names (musl, `ldso/dynlink.c`, `load_library`).
fn is_musl_itself(name: &str) -> bool {
    name.starts_with("libc.musl-")
        || ["libc.so", "libpthread.so", "librt.so", "libm.so", "libdl.so", "libutil.so", "libxnet.so"].contains(&name)
}

fn host_machine() -> elf::Machine {
    match std::env::consts::ARCH {
        "x86_64" => elf::EM_X86_64,
        "aarch64" => elf::EM_AARCH64,
        "x86" => elf::EM_386,
        "arm" => elf::EM_ARM,
        "riscv64" => elf::EM_RISCV,
        "s390x" => elf::EM_S390,
        "powerpc64" => elf::EM_PPC64,
        _ => elf::EM_NONE,
    }
}

fn parse(bytes: &[u8]) -> Result<Object, &'static str> {
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) => read::<elf::FileHeader64<Endianness>>(bytes, true),
        Ok(FileKind::Elf32) => read::<elf::FileHeader32<Endianness>>(bytes, false),
        _ => Err("a form that the kernel executes (ELF or #!)"),
    }
}

fn read<H: FileHeader<Endian = Endianness>>(bytes: &[u8], class64: bool) -> Result<Object, &'static str> {
    const BROKEN: &str = "a well-formed ELF file";
    let broken = |_| BROKEN;
    let header = H::parse(bytes).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let segments = header.program_headers(endian, bytes).map_err(broken)?;
    let mut object = Object {
        class64,
        machine: header.e_machine(endian),
        interpreter: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: Vec::new(),
    };
    let mut dynamic = None;
    for segment in segments {
        if let Some(interpreter) = segment.interpreter(endian, bytes).map_err(broken)? {
            object.interpreter = Some(String::from_utf8_lossy(interpreter).into_owned());
        }
        dynamic = dynamic.or(segment.dynamic(endian, bytes).map_err(broken)?);
    }
    let Some(dynamic) = dynamic else { return Ok(object) };
    let strings = dynamic.iter().find(|entry| entry.d_tag(endian) == elf::DT_STRTAB);
    let Some(strings) = strings.map(|entry| -> u64 { entry.d_val(endian).into() }) else { return Ok(object) };
    let offset = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .find_map(|segment| {
            let start: u64 = segment.p_vaddr(endian).into();
            let size: u64 = segment.p_filesz(endian).into();
            let file: u64 = segment.p_offset(endian).into();
            (start..start.checked_add(size)?).contains(&strings).then(|| file.checked_add(strings - start)).flatten()
        })
        .ok_or(BROKEN)?;
    let text = |at: u64| {
        let start = usize::try_from(offset.checked_add(at)?).ok()?;
        let rest = bytes.get(start..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    for entry in dynamic {
        let into = match entry.d_tag(endian) {
            elf::DT_NULL => break,
            elf::DT_NEEDED => &mut object.needed,
            elf::DT_RPATH => &mut object.rpath,
            elf::DT_RUNPATH => &mut object.runpath,
            _ => continue,
        };
        let found = text(entry.d_val(endian).into()).ok_or(BROKEN)?;
        into.push(found);
    }
    for dirs in [&mut object.rpath, &mut object.runpath] {
        *dirs = dirs.iter().flat_map(|list| list.split(':')).filter(|dir| !dir.is_empty()).map(str::to_owned).collect();
    }
    Ok(object)
}
