//! What is no module, what is none any more, and what is too large: refused by name from the bytes
//! alone, before any process.

use omni_sandbox::{
    MAX_FUNCTION_BYTES, MAX_FUNCTIONS, MAX_MODULE_BYTES, MAX_TABLE_ELEMENTS, admit,
};

use crate::{
    binary::{
        self, CODE, DATA, DATA_COUNT, ELEMENT, EXPORT, FUNCTION, GLOBAL, HEADER, I32, IMPORT,
        MEMORY, Parts, TABLE, TYPE, body, func_type, leb, list, name, repeated, section,
    },
    equipment::{Case, case, module, verdict},
};

/// Places at which the catalogue's module is cut.
const CUTS: usize = 16;
/// More than any number of things may be.
const HUGE: u64 = u32::MAX as u64;

fn labs() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../skills/catalogue/labs.wasm");
    std::fs::read(path).unwrap()
}

fn refused(what: impl Into<String>, bytes: Vec<u8>, code: &'static str) -> Case {
    case(format!("{} is {code}", what.into()), move || {
        assert_eq!(verdict(&bytes).code(), code);
    })
}

fn section_name(id: u8) -> &'static str {
    const NAMES: [&str; 13] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
    ];
    NAMES[usize::from(id)]
}

/// The catalogue's module cut, shuffled and doubled.
fn damaged() -> Vec<Case> {
    let good = labs();
    let found = binary::sections(&good);
    let edges: Vec<usize> = found.iter().map(|(_, range)| range.end).collect();
    let mut cases: Vec<Case> = (1..=CUTS)
        .map(|part| {
            let mut at = good.len() * part / (CUTS + 1);
            while edges.contains(&at) {
                at -= 1;
            }
            let title = format!(
                "the catalogue's skill cut after {part} of {} parts",
                CUTS + 1
            );
            refused(title, good[..at].to_vec(), "malformed")
        })
        .collect();
    let known: Vec<_> = found.iter().filter(|(id, _)| *id != 0).collect();
    for (id, range) in &known {
        let kind = section_name(*id);
        // Without a list of bodies there may be none of functions, and without both no beginning.
        let code = match *id {
            TYPE | IMPORT => "no-entry",
            FUNCTION..CODE => "malformed",
            _ => continue,
        };
        let cut = good[..range.end].to_vec();
        cases.push(refused(
            format!("the skill cut after its {kind} section"),
            cut,
            code,
        ));
    }
    for (id, range) in &known {
        let doubled = [&good[..range.end], &good[range.start..]].concat();
        let title = format!("the skill with its {} section twice", section_name(*id));
        cases.push(refused(title, doubled, "malformed"));
        let mut flipped = good.clone();
        // The length of the section, told wrong.
        flipped[range.start + 1] ^= 1;
        let title = format!(
            "the skill with a wrong length of its {} section",
            section_name(*id)
        );
        cases.push(case(format!("{title} is refused"), move || {
            let code = verdict(&flipped).code();
            assert!(
                ["malformed", "no-entry", "no-memory"].contains(&code),
                "{code}"
            );
        }));
    }
    for pair in known.windows(2) {
        let [(first, one), (second, two)] = pair else {
            continue;
        };
        let swapped = [
            &good[..one.start],
            &good[two.clone()],
            &good[one.end..two.start],
            &good[one.clone()],
            &good[two.end..],
        ]
        .concat();
        // Types that come too late are no types of the imports.
        let code = if *first == TYPE {
            "import-signature"
        } else {
            "malformed"
        };
        let (first, second) = (section_name(*first), section_name(*second));
        let title = format!("the skill with its {second} section before its {first} section");
        cases.push(refused(title, swapped, code));
    }
    cases
}

fn headers() -> Vec<Case> {
    let with = |change: &[u8]| [change, &Parts::new().module()[8..]].concat();
    let lines: [(&str, Vec<u8>, &str); 15] = [
        ("nothing", Vec::new(), "malformed"),
        ("one byte", vec![0], "malformed"),
        ("half of the magic number", b"\0a".to_vec(), "malformed"),
        ("the magic number alone", b"\0asm".to_vec(), "malformed"),
        ("half of the version", b"\0asm\x01\0".to_vec(), "malformed"),
        ("a header and nothing else", HEADER.to_vec(), "no-entry"),
        (
            "another magic number",
            with(b"\0ASM\x01\0\0\0"),
            "malformed",
        ),
        ("version 0", with(b"\0asm\0\0\0\0"), "malformed"),
        ("version 2", with(b"\0asm\x02\0\0\0"), "malformed"),
        (
            "the version from the other end",
            with(b"\0asm\0\0\0\x01"),
            "malformed",
        ),
        ("a component", b"\0asm\x0d\0\x01\0".to_vec(), "malformed"),
        (
            "a module with a component's header",
            with(b"\0asm\x0d\0\x01\0"),
            "malformed",
        ),
        ("a module as text", b"(module)".to_vec(), "malformed"),
        (
            "a Linux program",
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
            "malformed",
        ),
        (
            "a compressed file",
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(),
            "malformed",
        ),
    ];
    lines
        .map(|(what, bytes, code)| refused(what, bytes, code))
        .into()
}

/// Numbers that are written longer than they may be, and numbers of things that are not there.
fn numbers() -> Vec<Case> {
    let whole = Parts::new().module();
    let after = |more: &[u8]| [&whole[..], more].concat();
    let count = |id: u8| Parts::new().with(id, section(id, &leb(HUGE))).module();
    let inside = |id: u8, bytes: &[u8]| Parts::new().with(id, section(id, bytes)).module();
    let mut cases: Vec<Case> = [
        (
            "a length of six bytes",
            &[0, 0x80, 0x80, 0x80, 0x80, 0x80, 0][..],
        ),
        (
            "a length with bits beyond its range",
            &[0, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        (
            "a length of four thousand million",
            &[0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ),
        ("a length that never ends", &[0, 0x80, 0x80]),
        ("a section without a length", &[0]),
        ("a section of an unknown kind", &[14, 0]),
        ("a section of kind 255", &[255, 0]),
        ("a nameless custom section", &[0, 0]),
        (
            "a custom section whose name is longer than it",
            &[0, 2, 9, b'x'],
        ),
        (
            "a custom section whose name is no text",
            &[0, 3, 2, 0xc3, 0x28],
        ),
        ("one byte too many", &[0xff]),
    ]
    .into_iter()
    .map(|(what, more)| refused(what, after(more), "malformed"))
    .collect();
    for (id, code) in [
        (TYPE, "malformed"),
        (IMPORT, "malformed"),
        (FUNCTION, "too-many-functions"),
        (TABLE, "too-many-tables"),
        (MEMORY, "too-many-memories"),
        (GLOBAL, "malformed"),
        (EXPORT, "malformed"),
        (ELEMENT, "malformed"),
        (CODE, "malformed"),
        (DATA, "malformed"),
        (DATA_COUNT, "malformed"),
    ] {
        let title = format!("a {} section of four thousand million", section_name(id));
        cases.push(refused(title, count(id), code));
    }
    for (what, id, bytes) in [
        (
            "a count of six bytes",
            TYPE,
            &[0x81, 0x80, 0x80, 0x80, 0x80, 0, 0x60, 0, 0][..],
        ),
        ("a type of no known form", TYPE, &[1, 0x61, 0, 0]),
        ("a function of a type that is not there", FUNCTION, &[1, 99]),
        ("more functions than bodies", FUNCTION, &[2, 0, 0]),
        ("fewer functions than bodies", FUNCTION, &[0]),
        (
            "a memory with its maximum below its minimum",
            MEMORY,
            &[1, 1, 2, 1],
        ),
        ("a memory of unknown flags", MEMORY, &[1, 0xff, 1]),
        ("a table of no references", TABLE, &[1, I32, 0, 1]),
        ("a global of no type", GLOBAL, &[1, 0x40, 0, 0x0b]),
        ("a global without an end", GLOBAL, &[1, I32, 0, 0x41, 0]),
        (
            "a global that calls a function",
            GLOBAL,
            &[1, I32, 0, 0x10, 0, 0x0b],
        ),
        ("a body longer than its section", CODE, &[1, 0x7f, 0, 0x0b]),
        ("a body that ends early", CODE, &[1, 3, 0, 0x0b, 0x01]),
        ("a body that does not end", CODE, &[1, 2, 0, 0x01]),
        (
            "a body of an unknown instruction",
            CODE,
            &[1, 3, 0, 0xff, 0x0b],
        ),
        (
            "a body with four thousand million locals",
            CODE,
            &[1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, I32, 0x0b],
        ),
        (
            "a body that takes from an empty stack",
            CODE,
            &[1, 3, 0, 0x1a, 0x0b],
        ),
        (
            "a body that jumps to nowhere",
            CODE,
            &[1, 4, 0, 0x0c, 9, 0x0b],
        ),
        (
            "a body that calls a function that is not there",
            CODE,
            &[1, 4, 0, 0x10, 99, 0x0b],
        ),
        (
            "a body that reads a local that is not there",
            CODE,
            &[1, 5, 0, 0x20, 9, 0x1a, 0x0b],
        ),
        (
            "data for a memory that is not there",
            DATA,
            &[1, 2, 9, 0x41, 0, 0x0b, 0],
        ),
        (
            "elements for a table that is not there",
            ELEMENT,
            &[1, 2, 9, 0x41, 0, 0x0b, 0, 0],
        ),
    ] {
        cases.push(refused(what, inside(id, bytes), "malformed"));
    }
    cases
}

/// Text of a module that has what every skill has, and more.
fn text(more: &str) -> Vec<u8> {
    module(&format!(
        r#"(module (memory (export "memory") 1) (func (export "_start")) {more})"#
    ))
}

/// What later versions of WebAssembly have, and what a skill must have.
fn features() -> Vec<Case> {
    let start = r#"(func (export "_start"))"#;
    let memory = r#"(memory (export "memory") 1)"#;
    let lines = [
        ("a tag of exceptions", text("(tag)"), "malformed"),
        ("a throw", text("(tag $t) (func (throw $t))"), "malformed"),
        (
            "a tail call",
            text("(func $f (return_call $f))"),
            "malformed",
        ),
        (
            "relaxed SIMD",
            text(
                "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
            ),
            "malformed",
        ),
        (
            "an atomic instruction",
            text("(func (drop (i32.atomic.load (i32.const 0))))"),
            "malformed",
        ),
        ("a fence", text("(func (atomic.fence))"), "malformed"),
        (
            "a structure",
            text("(type (struct (field i32)))"),
            "malformed",
        ),
        ("an array", text("(type (array i32))"), "malformed"),
        (
            "a typed function reference",
            text("(type $t (func)) (func (param (ref $t)))"),
            "malformed",
        ),
        (
            "wide arithmetic",
            text(
                "(func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))",
            ),
            "malformed",
        ),
        ("a second memory", text("(memory 1)"), "too-many-memories"),
        (
            "a shared memory",
            module(&format!(
                r#"(module {start} (memory (export "memory") 1 1 shared))"#
            )),
            "malformed",
        ),
        (
            "a 64-bit memory",
            module(&format!(
                r#"(module {start} (memory (export "memory") i64 1))"#
            )),
            "malformed",
        ),
        (
            "a memory of one-byte pages",
            Parts::new()
                .with(MEMORY, section(MEMORY, &[1, 8, 1, 0]))
                .module(),
            "malformed",
        ),
        ("a 64-bit table", text("(table i64 1 funcref)"), "malformed"),
        (
            "a start section",
            text("(func $f) (start $f)"),
            "start-function",
        ),
        (
            "an endless loop in a start section",
            text("(func $f (loop (br 0))) (start $f)"),
            "start-function",
        ),
        (
            "a start section of a function that is not there",
            Parts::new().with(8, section(8, &[9])).module(),
            "start-function",
        ),
        (
            "no beginning",
            module(&format!("(module {memory})")),
            "no-entry",
        ),
        (
            "a beginning by another name",
            module(&format!(r#"(module {memory} (func (export "_START")))"#)),
            "no-entry",
        ),
        (
            "a beginning with a parameter",
            module(&format!(
                r#"(module {memory} (func (export "_start") (param i64)))"#
            )),
            "no-entry",
        ),
        (
            "a beginning with a result",
            module(&format!(
                r#"(module {memory} (func (export "_start") (result i32) i32.const 0))"#
            )),
            "no-entry",
        ),
        (
            "a beginning that is a table",
            module(&format!(
                r#"(module {memory} (table (export "_start") 1 funcref))"#
            )),
            "no-entry",
        ),
        (
            "a beginning that is imported",
            module(&format!(
                r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) {memory} (export "_start" (func 0)))"#
            )),
            "no-entry",
        ),
        (
            "no memory",
            module(&format!("(module {start})")),
            "no-memory",
        ),
        (
            "a memory that is not shown",
            module(&format!("(module {start} (memory 1))")),
            "no-memory",
        ),
        (
            "a memory by another name",
            module(&format!(r#"(module {start} (memory (export "Memory") 1))"#)),
            "no-memory",
        ),
        (
            "a function called memory",
            module(&format!(
                r#"(module {start} (memory 1) (func (export "memory")))"#
            )),
            "no-memory",
        ),
    ];
    lines
        .into_iter()
        .map(|(what, bytes, code)| refused(what, bytes, code))
        .collect()
}

/// A module with one function whose body is these instructions.
fn program(code: &[u8]) -> Parts {
    let mut parts = Parts::new();
    parts.bodies = vec![body(&[0], code)];
    parts
}

fn giants() -> Vec<Case> {
    let pages = |pages: u64| section(MEMORY, &[vec![1, 0], leb(pages)].concat());
    let table = |elements: u64| [vec![0x70, 0], leb(elements)].concat();
    let mut many_functions = Parts::new();
    many_functions.functions = vec![0; MAX_FUNCTIONS as usize + 1];
    many_functions.bodies = vec![body(&[0], &[]); MAX_FUNCTIONS as usize + 1];
    let mut lone_bodies = Parts::new();
    lone_bodies.bodies = vec![body(&[0], &[]); 1_000_000];
    let passive = [1, 1, b'x'];
    let nop = |count: usize| program(&vec![0x01; count]).module();
    let export = [name(b"x"), vec![0, 0]].concat();
    let long_name = [name(&vec![b'x'; 100_001]), vec![0, 0]].concat();
    let locals = |count: u64| {
        let mut parts = Parts::new();
        parts.bodies = vec![body(&[vec![1], leb(count), vec![I32]].concat(), &[])];
        parts.module()
    };
    let lines = [
        (
            "a byte more than a module may have",
            vec![0; MAX_MODULE_BYTES + 1],
            "too-large",
        ),
        (
            "a good module with padding beyond the limit",
            [
                Parts::new().module(),
                section(0, &vec![0; MAX_MODULE_BYTES]),
            ]
            .concat(),
            "too-large",
        ),
        (
            "a function more than allowed",
            many_functions.module(),
            "too-many-functions",
        ),
        (
            "a million functions that are only announced",
            Parts::new()
                .with(FUNCTION, repeated(FUNCTION, 1_000_000, &[0]))
                .module(),
            "too-many-functions",
        ),
        (
            "a million bodies without functions",
            lone_bodies.module(),
            "malformed",
        ),
        (
            "a function a byte too large",
            nop(MAX_FUNCTION_BYTES - 1),
            "function-too-large",
        ),
        (
            "a function of four million bytes",
            nop(MAX_MODULE_BYTES - 4096),
            "function-too-large",
        ),
        (
            "a fifth table",
            Parts::new()
                .with(TABLE, list(TABLE, &vec![table(1); 5]))
                .module(),
            "too-many-tables",
        ),
        (
            "a hundred thousand tables",
            Parts::new()
                .with(TABLE, list(TABLE, &vec![table(1); 100_000]))
                .module(),
            "too-many-tables",
        ),
        (
            "a table an element too large",
            Parts::new()
                .with(TABLE, list(TABLE, &[table(MAX_TABLE_ELEMENTS + 1)]))
                .module(),
            "table-too-large",
        ),
        (
            "a fourth table that is as large as can be written",
            Parts::new()
                .with(
                    TABLE,
                    list(TABLE, &[table(1), table(1), table(1), table(HUGE)]),
                )
                .module(),
            "table-too-large",
        ),
        (
            "two memories",
            Parts::new()
                .with(MEMORY, section(MEMORY, &[2, 0, 1, 0, 1]))
                .module(),
            "too-many-memories",
        ),
        (
            "a page more than may be used",
            Parts::new().with(MEMORY, pages(65)).module(),
            "memory-too-large",
        ),
        (
            "a memory of all four gigabytes",
            Parts::new().with(MEMORY, pages(65_536)).module(),
            "memory-too-large",
        ),
        (
            "a memory beyond four gigabytes",
            Parts::new().with(MEMORY, pages(65_537)).module(),
            "malformed",
        ),
        (
            "a memory of as many pages as can be written",
            Parts::new().with(MEMORY, pages(HUGE)).module(),
            "malformed",
        ),
        (
            "more than a million types",
            Parts::new()
                .with(TYPE, repeated(TYPE, 1_200_000, &func_type(&[], &[])))
                .module(),
            "malformed",
        ),
        (
            "a type with 1001 parameters",
            Parts::new()
                .with(
                    TYPE,
                    list(TYPE, &[func_type(&[], &[]), func_type(&[I32; 1001], &[])]),
                )
                .module(),
            "malformed",
        ),
        (
            "a type with 1001 results",
            Parts::new()
                .with(
                    TYPE,
                    list(TYPE, &[func_type(&[], &[]), func_type(&[], &[I32; 1001])]),
                )
                .module(),
            "malformed",
        ),
        ("a function with 50001 locals", locals(50_001), "malformed"),
        (
            "a name of a hundred thousand and one letters",
            Parts::new()
                .with(EXPORT, list(EXPORT, &[long_name]))
                .module(),
            "malformed",
        ),
        (
            "half a million exports of one name",
            Parts::new()
                .with(EXPORT, repeated(EXPORT, 500_000, &export))
                .module(),
            "malformed",
        ),
        (
            "more than a hundred thousand pieces of data",
            Parts::new()
                .with(DATA, repeated(DATA, 100_001, &passive))
                .module(),
            "malformed",
        ),
        (
            "more than a hundred thousand lists of elements",
            Parts::new()
                .with(ELEMENT, repeated(ELEMENT, 100_001, &[1, 0, 0]))
                .module(),
            "malformed",
        ),
        (
            "a jump table with a target that is not there",
            program(&[&[0x41, 0, 0x0e][..], &leb(100_000), &vec![9; 100_001]].concat()).module(),
            "malformed",
        ),
        (
            "a jump table that is only announced",
            program(&[&[0x41, 0, 0x0e][..], &leb(HUGE)].concat()).module(),
            "malformed",
        ),
        (
            "half a million blocks that do not end",
            program(&[0x02, 0x40].repeat(260_000)).module(),
            "malformed",
        ),
    ];
    let mut cases: Vec<Case> = lines
        .into_iter()
        .map(|(what, bytes, code)| refused(what, bytes, code))
        .collect();
    cases.push(case(
        "what is just within every limit is admitted",
        move || {
            let mut parts = Parts::new();
            parts.functions = vec![0; MAX_FUNCTIONS as usize];
            parts.bodies = vec![body(&[0], &[]); MAX_FUNCTIONS as usize];
            let tables = vec![table(MAX_TABLE_ELEMENTS); 4];
            let parts = parts.with(TABLE, list(TABLE, &tables));
            assert!(admit(&parts.module()).is_ok());
            // The count of locals and the end come on top of the instructions.
            assert!(admit(&nop(MAX_FUNCTION_BYTES - 2)).is_ok());
            assert!(admit(&locals(50_000)).is_ok());
        },
    ));
    cases
}

pub fn cases() -> Vec<Case> {
    [damaged(), headers(), numbers(), features(), giants()]
        .into_iter()
        .flatten()
        .collect()
}
