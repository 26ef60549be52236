//! Modules byte by byte, also those that no assembler would write.

pub const HEADER: &[u8] = b"\0asm\x01\0\0\0";
pub const I32: u8 = 0x7f;
pub const I64: u8 = 0x7e;

pub const TYPE: u8 = 1;
pub const IMPORT: u8 = 2;
pub const FUNCTION: u8 = 3;
pub const TABLE: u8 = 4;
pub const MEMORY: u8 = 5;
pub const GLOBAL: u8 = 6;
pub const EXPORT: u8 = 7;
pub const ELEMENT: u8 = 9;
pub const CODE: u8 = 10;
pub const DATA: u8 = 11;
pub const DATA_COUNT: u8 = 12;

/// A number as LEB128.
pub fn leb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

pub fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len() as u64), body].concat()
}

/// A section that is a vector of these items.
pub fn list(id: u8, items: &[Vec<u8>]) -> Vec<u8> {
    section(id, &[leb(items.len() as u64), items.concat()].concat())
}

/// A section that is one item `count` times.
pub fn repeated(id: u8, count: usize, item: &[u8]) -> Vec<u8> {
    section(id, &[leb(count as u64), item.repeat(count)].concat())
}

/// A name as it stands in imports and exports; need not be UTF-8.
pub fn name(bytes: &[u8]) -> Vec<u8> {
    [leb(bytes.len() as u64), bytes.to_vec()].concat()
}

pub fn func_type(params: &[u8], results: &[u8]) -> Vec<u8> {
    [vec![0x60], name(params), name(results)].concat()
}

/// The body of a function: declarations of locals and instructions, the last `end` excluded.
pub fn body(locals: &[u8], code: &[u8]) -> Vec<u8> {
    let mut bytes = [locals, code].concat();
    bytes.push(0x0b);
    name(&bytes)
}

/// A module of a memory and an empty program, with some sections changed.
#[derive(Clone)]
pub struct Parts {
    pub types: Vec<Vec<u8>>,
    pub imports: Vec<Vec<u8>>,
    /// Type of each function; the first one is the program.
    pub functions: Vec<u32>,
    pub bodies: Vec<Vec<u8>>,
    /// Sections of one kind each, put where they belong.
    pub more: Vec<(u8, Vec<u8>)>,
}

impl Parts {
    pub fn new() -> Self {
        Self {
            types: vec![func_type(&[], &[])],
            imports: Vec::new(),
            functions: vec![0],
            bodies: vec![body(&[0], &[])],
            more: Vec::new(),
        }
    }

    /// One section more, or in the place of the one of its kind.
    pub fn with(mut self, id: u8, bytes: Vec<u8>) -> Self {
        self.more.push((id, bytes));
        self
    }

    pub fn module(&self) -> Vec<u8> {
        let functions: Vec<Vec<u8>> = self.functions.iter().map(|ty| leb((*ty).into())).collect();
        let entry = leb(self.imports.len() as u64);
        let exports = [
            [name(b"_start"), vec![0], entry].concat(),
            [name(b"memory"), vec![2, 0]].concat(),
        ];
        let mut sections = vec![
            (TYPE, list(TYPE, &self.types)),
            (FUNCTION, list(FUNCTION, &functions)),
            (MEMORY, list(MEMORY, &[vec![0, 1]])),
            (EXPORT, list(EXPORT, &exports)),
            (CODE, list(CODE, &self.bodies)),
        ];
        if !self.imports.is_empty() {
            sections.push((IMPORT, list(IMPORT, &self.imports)));
        }
        for (id, bytes) in &self.more {
            sections.retain(|(found, _)| found != id);
            sections.push((*id, bytes.clone()));
        }
        // The count of data segments stands before the code.
        sections.sort_by_key(|(id, _)| {
            if *id == DATA_COUNT {
                2 * CODE - 1
            } else {
                2 * *id
            }
        });
        let bytes = sections.into_iter().flat_map(|(_, bytes)| bytes);
        HEADER.iter().copied().chain(bytes).collect()
    }
}

/// One import: what it is comes after both names.
pub fn import(module: &[u8], field: &[u8], what: &[u8]) -> Vec<u8> {
    [name(module), name(field), what.to_vec()].concat()
}

/// Number of a section and where it begins and ends, header included.
pub fn sections(module: &[u8]) -> Vec<(u8, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = HEADER.len();
    while at < module.len() {
        let begin = at;
        let (mut length, mut shift) = (0, 0);
        loop {
            at += 1;
            length |= usize::from(module[at] & 0x7f) << shift;
            shift += 7;
            if module[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + length;
        found.push((module[begin], begin..at));
    }
    found
}
