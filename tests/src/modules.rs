//! WASM that no validator should accept, written out byte by byte.

/// Magic number and version.
const HEADER: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![id];
    section.extend(length(content.len()));
    section.extend(content);
    section
}

/// LEB128.
fn length(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn name(text: &str) -> Vec<u8> {
    [length(text.len()), text.as_bytes().to_vec()].concat()
}

/// One type, `() -> ()`.
fn types() -> Vec<u8> {
    section(1, &[1, 0x60, 0, 0])
}

fn memory_import(pages: usize) -> Vec<u8> {
    [name("env"), name("memory"), vec![0x02, 0x00], length(pages)].concat()
}

fn function_import(function: &str) -> Vec<u8> {
    [name("env"), name(function), vec![0x00, 0x00]].concat()
}

fn imports(list: &[Vec<u8>]) -> Vec<u8> {
    section(2, &[length(list.len()), list.concat()].concat())
}

/// One function with this body, exported as `handle`, its index after `imported` functions.
fn handle(imported: u8, body: &[u8]) -> Vec<u8> {
    let code = [&[0][..], body, &[0x0b]].concat();
    [
        section(3, &[1, 0]),
        section(7, &[&[1][..], &name("handle"), &[0x00, imported]].concat()),
        section(10, &[vec![1], length(code.len()), code].concat()),
    ]
    .concat()
}

fn module(parts: &[Vec<u8>]) -> Vec<u8> {
    [HEADER.to_vec(), parts.concat()].concat()
}

/// The smallest program: it accepts every message. Valid, and the base of those that are not.
pub fn smallest() -> Vec<u8> {
    module(&[types(), imports(&[memory_import(1)]), handle(0, &[])])
}

/// Modules that are to be refused, with what is wrong with them.
pub fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let mut long = smallest();
    // A custom section of half a megabyte: one byte more than a code may have.
    let filler = [name("x"), vec![7; 524_288]].concat();
    long.extend(section(0, &filler));
    vec![
        ("no WASM at all", b"this is no program".to_vec()),
        ("cut short", smallest()[..20].to_vec()),
        ("too long", long),
        (
            "its own memory instead of the executor's",
            module(&[
                types(),
                section(3, &[1, 0]),
                section(5, &[1, 0, 1]),
                section(7, &[&[1][..], &name("handle"), &[0x00, 0]].concat()),
                section(10, &[1, 2, 0, 0x0b]),
            ]),
        ),
        (
            "a system call that does not exist",
            module(&[
                types(),
                imports(&[memory_import(1), function_import("gr_format_disk")]),
                handle(1, &[]),
            ]),
        ),
        (
            "more memory than a program may have",
            module(&[types(), imports(&[memory_import(40_000)]), handle(0, &[])]),
        ),
        (
            "threads",
            // atomic.fence
            module(&[
                types(),
                imports(&[memory_import(1)]),
                handle(0, &[0xfe, 0x03, 0]),
            ]),
        ),
        (
            "a start function",
            module(&[
                types(),
                imports(&[memory_import(1)]),
                section(3, &[1, 0]),
                section(7, &[&[1][..], &name("handle"), &[0x00, 0]].concat()),
                section(8, &[0]),
                section(10, &[1, 2, 0, 0x0b]),
            ]),
        ),
        (
            "nothing to call",
            module(&[
                types(),
                imports(&[memory_import(1)]),
                section(3, &[1, 0]),
                section(10, &[1, 2, 0, 0x0b]),
            ]),
        ),
    ]
}
