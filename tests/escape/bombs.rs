//! What is too much: memory, tables, stack, time, output, and work for the compiler. Each ends by
//! name or is borne, and the parent goes on.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use omni_sandbox::{Failure, MAX_FUNCTIONS, MAX_TABLE_ELEMENTS, TrapKind};
use omni_types::ResourceLimits;

use crate::{
    binary::{self, I32, Parts, TABLE, body, leb, list},
    equipment::{
        Case, ECHO, LIMITS, case, run_once, skill, skill_with, start, wait, wait_until_gone,
    },
};

/// Time for what never ends by itself.
const SHORT: ResourceLimits = ResourceLimits {
    segment_wall_ms: 300,
    ..LIMITS
};

type Outcome = Result<Vec<u8>, Failure>;

fn trap(kind: TrapKind) -> Outcome {
    Err(Failure::Trap(kind))
}

/// A program, what it has beside it, and how it must end.
struct Bomb {
    what: &'static str,
    more: &'static str,
    body: String,
    expected: Outcome,
}

fn bomb(what: &'static str, body: impl Into<String>, expected: Outcome) -> Bomb {
    bomb_with(what, "", body, expected)
}

fn bomb_with(
    what: &'static str,
    more: &'static str,
    body: impl Into<String>,
    expected: Outcome,
) -> Bomb {
    Bomb {
        what,
        more,
        body: body.into(),
        expected,
    }
}

/// Grows the memory page by page until no more is given.
const GROW: &str = "(loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
const PRINT_64: &str = "(call $print (i32.const 64) (i32.const 4))";
const TABLE_OF_TWO: &str = "
    (type $plain (func)) (type $other (func (param i32)))
    (table $t 3 funcref)
    (elem (i32.const 0) $f $g)
    (func $f) (func $g (param i32))";

fn traps() -> Vec<Bomb> {
    use TrapKind::*;
    // Not known to the compiler.
    let zero = "(i32.load (i32.const 4096))";
    let wide_zero = "(i64.load (i32.const 4096))";
    vec![
        bomb(
            "an unreachable instruction",
            "unreachable",
            trap(Unreachable),
        ),
        bomb(
            "a division by zero",
            format!("(drop (i32.div_s (i32.const 1) {zero}))"),
            trap(DivisionByZero),
        ),
        bomb(
            "a wide remainder by zero",
            format!("(drop (i64.rem_u (i64.const 1) {wide_zero}))"),
            trap(DivisionByZero),
        ),
        bomb(
            "the smallest number divided by minus one",
            format!("(drop (i32.div_s (i32.const 0x80000000) (i32.sub {zero} (i32.const 1))))"),
            trap(IntegerOverflow),
        ),
        bomb(
            "no number made a number",
            "(drop (i32.trunc_f64_s (f64.const nan)))",
            trap(BadConversion),
        ),
        bomb(
            "infinity made a number",
            "(drop (i64.trunc_f32_u (f32.const inf)))",
            trap(IntegerOverflow),
        ),
        bomb(
            "a read behind the memory",
            "(drop (i32.load (i32.const 131069)))",
            trap(MemoryOutOfBounds),
        ),
        bomb(
            "a write at the very end of the address space",
            "(i64.store (i32.const -1) (i64.const 1))",
            trap(MemoryOutOfBounds),
        ),
        bomb(
            "a read with the largest offset",
            "(drop (i32.load offset=0xffffffff (i32.const -1)))",
            trap(MemoryOutOfBounds),
        ),
        bomb(
            "a vector read half behind the memory",
            "(drop (v128.load (i32.const 131064)))",
            trap(MemoryOutOfBounds),
        ),
        bomb(
            "a fill across the end of the memory",
            "(memory.fill (i32.const 1) (i32.const 7) (i32.const 131072))",
            trap(MemoryOutOfBounds),
        ),
        bomb(
            "a copy that wraps round",
            "(memory.copy (i32.const 0) (i32.const 16) (i32.const -1))",
            trap(MemoryOutOfBounds),
        ),
        bomb_with(
            "a copy of data that is not there",
            r#"(data $d "abc")"#,
            "(memory.init $d (i32.const 0) (i32.const 2) (i32.const 2))",
            trap(MemoryOutOfBounds),
        ),
        bomb_with(
            "data laid behind the memory",
            r#"(data (i32.const 131071) "ab")"#,
            "",
            trap(MemoryOutOfBounds),
        ),
        bomb_with(
            "elements laid behind the table",
            "(table 1 funcref) (func $x) (elem (i32.const 1) $x)",
            "",
            trap(TableOutOfBounds),
        ),
        bomb_with(
            "a call behind the table",
            TABLE_OF_TWO,
            "(call_indirect (type $plain) (i32.const 3))",
            trap(TableOutOfBounds),
        ),
        bomb_with(
            "a call far behind the table",
            TABLE_OF_TWO,
            "(call_indirect (type $plain) (i32.const -1))",
            trap(TableOutOfBounds),
        ),
        bomb_with(
            "a call of an empty slot",
            TABLE_OF_TWO,
            "(call_indirect (type $plain) (i32.const 2))",
            trap(NullCall),
        ),
        bomb_with(
            "a call of another signature",
            TABLE_OF_TWO,
            "(call_indirect (type $plain) (i32.const 1))",
            trap(BadSignature),
        ),
        bomb_with(
            "a look behind the table",
            TABLE_OF_TWO,
            "(drop (table.get $t (i32.const 3)))",
            trap(TableOutOfBounds),
        ),
        bomb_with(
            "a fill across the end of the table",
            TABLE_OF_TWO,
            "(table.fill $t (i32.const 2) (ref.null func) (i32.const 2))",
            trap(TableOutOfBounds),
        ),
        bomb(
            "a trap after output gives no output",
            format!("{ECHO} unreachable"),
            trap(Unreachable),
        ),
    ]
}

fn sizes() -> Vec<Bomb> {
    let print_size = |size: &str| format!("(i32.store (i32.const 64) {size}) {PRINT_64}");
    let pages = (LIMITS.memory_bytes >> 16) as u32;
    let ok = |number: u32| Ok(number.to_le_bytes().to_vec());
    let grow =
        |by: i64| format!("(i32.store (i32.const 64) (memory.grow (i32.const {by}))) {PRINT_64}");
    let elements = MAX_TABLE_ELEMENTS as u32;
    vec![
        bomb(
            "growth without end stops at the limit",
            format!("{GROW} {}", print_size("(memory.size)")),
            ok(pages),
        ),
        bomb(
            "growth without end and a trap",
            format!("{GROW} unreachable"),
            Err(Failure::MemoryLimit),
        ),
        bomb(
            "growth without end and an exit code",
            format!("{GROW} (call $proc_exit (i32.const 1))"),
            Err(Failure::MemoryLimit),
        ),
        bomb(
            "growth by all four gigabytes is denied",
            grow(65_534),
            ok(u32::MAX),
        ),
        bomb(
            "growth by a negative number is denied",
            grow(-1),
            ok(u32::MAX),
        ),
        bomb(
            "growth to one page beyond the limit is denied",
            grow(i64::from(pages) - 1),
            ok(u32::MAX),
        ),
        bomb(
            "growth to the limit at once is given",
            grow(i64::from(pages) - 2),
            ok(2),
        ),
        bomb(
            "writing into all memory that there is",
            format!(
                "{GROW} (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536))) {}",
                print_size("(memory.size)")
            ),
            ok(pages),
        ),
        bomb(
            "writing behind all memory that there is",
            format!("{GROW} (i32.store (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))"),
            Err(Failure::MemoryLimit),
        ),
        bomb_with(
            "a table that grows without end stops at the limit",
            "(table $t 0 funcref)",
            format!(
                "(loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) {}",
                print_size("(table.size $t)")
            ),
            ok(elements),
        ),
        bomb_with(
            "a table that grows by four thousand million is denied",
            "(table $t 1 funcref)",
            format!(
                "(i32.store (i32.const 64) (table.grow $t (ref.null func) (i32.const -1))) {PRINT_64}"
            ),
            ok(u32::MAX),
        ),
        bomb_with(
            "four tables at their limit each",
            "(table $a 100000 funcref) (table $b 100000 funcref) (table $c 100000 funcref) (table $d 100000 funcref)",
            print_size("(table.grow $d (ref.null func) (i32.const 1))"),
            ok(u32::MAX),
        ),
    ]
}

fn stacks() -> Vec<Bomb> {
    let overflow = || Err(Failure::StackOverflow);
    vec![
        bomb_with(
            "a function that calls itself",
            "(func $f (param i32) (result i32) (i32.add (i32.const 1) (call $f (i32.add (local.get 0) (i32.const 1)))))",
            "(drop (call $f (i32.const 0)))",
            overflow(),
        ),
        bomb_with(
            "two functions that call each other",
            "(func $f (param i32) (result i32) (i32.add (i32.const 1) (call $g (local.get 0)))) (func $g (param i32) (result i32) (i32.mul (i32.const 3) (call $f (local.get 0))))",
            "(drop (call $f (i32.const 0)))",
            overflow(),
        ),
        bomb_with(
            "a function that calls itself through a table",
            "(type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $f) (func $f (param i32) (result i32) (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0))))",
            "(drop (call $f (i32.const 0)))",
            overflow(),
        ),
        bomb_with(
            "a function that calls itself with much on its stack",
            "(func $f (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64 i64) (call $f (local.get 15) (local.get 14) (local.get 13) (local.get 12) (local.get 11) (local.get 10) (local.get 9) (local.get 8) (local.get 7) (local.get 6) (local.get 5) (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0)) (i64.add (local.get 0)))",
            "(call $f (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)) drop drop drop drop",
            overflow(),
        ),
        bomb_with(
            "a function that calls itself and a host function",
            "(func $f (param i32) (result i32) (i32.add (call $sched_yield) (call $f (i32.add (call $sched_yield) (local.get 0)))))",
            "(drop (call $f (i32.const 0)))",
            overflow(),
        ),
        bomb_with(
            "a recursion after growth was denied is still too deep",
            "(func $f (result i32) (i32.add (i32.const 1) (call $f)))",
            format!("{GROW} (drop (call $f))"),
            overflow(),
        ),
    ]
}

fn floods() -> Vec<Bomb> {
    let flood = || Err(Failure::OutputTooLarge);
    let many = |length: u32| format!("(loop $again {} (br $again))", print(length));
    fn print(length: u32) -> String {
        format!("(call $print (i32.const 1024) (i32.const {length}))")
    }
    let most = LIMITS.output_bytes;
    // Every entry of the list leads to the same bytes.
    let list = |length: u32| {
        format!(
            "(local $n i32)
            (loop $next
                (i64.store (i32.add (i32.const 2048) (i32.mul (local.get $n) (i32.const 8)))
                    (i64.const {}))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const 1024))))
            (drop (call $fd_write (i32.const 1) (i32.const 2048) (i32.const 1024) (i32.const 8)))",
            u64::from(length) << 32
        )
    };
    vec![
        bomb(
            "as much output as allowed",
            print(most),
            Ok(vec![0; most as usize]),
        ),
        bomb("one byte of output more", print(most + 1), flood()),
        bomb("one large output", print(100_000), flood()),
        bomb("output byte by byte without end", many(1), flood()),
        bomb("output in large pieces without end", many(4000), flood()),
        bomb(
            "a thousand buffers of four bytes are as much as allowed",
            list(4),
            Ok([[0; 4]; 1024].concat()),
        ),
        bomb(
            "a thousand buffers that are all memory each",
            list(131_072),
            flood(),
        ),
        bomb(
            "a flood after an exit code 0 is none",
            format!("{ECHO} (call $proc_exit (i32.const 0)) {}", many(4000)),
            Ok([&[1; 1][..], &[0; 7], b"input"].concat()),
        ),
        bomb(
            "errors that are written for a while go nowhere",
            "(local $n i32)
            (i64.store (i32.const 0) (i64.const 0x0001000000000000))
            (loop $again
                (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 2000))))",
            Ok(Vec::new()),
        ),
    ]
}

/// Loops that never end; none of them can be told from work by looking.
const ENDLESS: &[(&str, &str)] = &[
    ("an empty loop", ""),
    ("a loop that yields", "(drop (call $sched_yield))"),
    (
        "a loop that asks for memory and gets none",
        "(drop (memory.grow (i32.const 65535)))",
    ),
    (
        "a loop that fills all memory",
        "(memory.fill (i32.const 0) (i32.const 7) (i32.const 131072))",
    ),
    (
        "a loop that draws random numbers",
        "(drop (call $random_get (i32.const 0) (i32.const 131072)))",
    ),
    (
        "a loop that reads at the end of the input",
        "(drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1024) (i32.const 80)))",
    ),
    (
        "a loop that writes errors",
        "(drop (call $fd_write (i32.const 2) (i32.const 1024) (i32.const 1024) (i32.const 80)))",
    ),
    (
        "a loop that writes nothing",
        "(call $print (i32.const 1024) (i32.const 0))",
    ),
    (
        "a loop that closes its output",
        "(drop (call $fd_close (i32.const 1)))",
    ),
];

/// What it is, and the module.
type Made = (&'static str, fn() -> Vec<u8>);

/// Much work for a compiler in few bytes.
fn for_the_compiler() -> Vec<Made> {
    /// The program itself does nothing; this function beside it is only compiled.
    fn beside(body: Vec<u8>) -> Parts {
        let mut parts = Parts::new();
        parts.functions.push(0);
        parts.bodies.push(body);
        parts
    }
    fn one(code: &[u8]) -> Vec<u8> {
        beside(body(&[0], code)).module()
    }
    fn with_locals(count: u64, code: &[u8]) -> Vec<u8> {
        beside(body(&[vec![1], leb(count), vec![I32]].concat(), code)).module()
    }
    vec![
        ("twenty thousand functions", || {
            let mut parts = Parts::new();
            parts.functions = vec![0; MAX_FUNCTIONS as usize];
            // Each takes a number, adds to it, and forgets it.
            let code = body(&[0], &[0x41, 1, 0x41, 2, 0x6a, 0x1a]);
            parts.bodies = vec![code; MAX_FUNCTIONS as usize];
            parts.module()
        }),
        ("thirty thousand blocks inside each other", || {
            one(&[[0x02, 0x40].repeat(30_000), vec![0x0b; 30_000]].concat())
        }),
        ("ten thousand loops inside each other", || {
            one(&[[0x03, 0x40].repeat(10_000), vec![0x0b; 10_000]].concat())
        }),
        ("ten thousand conditions inside each other", || {
            one(&[[0x41, 1, 0x04, 0x40].repeat(10_000), vec![0x0b; 10_000]].concat())
        }),
        ("a jump table of a hundred thousand targets", || {
            one(&[&[0x41, 0, 0x0e][..], &leb(100_000), &vec![0; 100_001]].concat())
        }),
        ("three hundred loops over three hundred variables", || {
            let mut code = Vec::new();
            for index in 0..300_u64 {
                // Adds to a variable and may begin again.
                code.extend([0x03, 0x40, 0x20]);
                code.extend(leb(index));
                code.extend([0x41, 1, 0x6a, 0x21]);
                code.extend(leb(299 - index));
                code.extend([0x20, 0, 0x0d, 0, 0x0b]);
            }
            with_locals(300, &code)
        }),
        ("fifty thousand variables, none of which is used", || {
            with_locals(50_000, &[])
        }),
        ("a sum of twenty thousand terms on the stack", || {
            one(&[[0x41, 1].repeat(20_000), vec![0x6a; 19_999], vec![0x1a]].concat())
        }),
        ("five thousand indirect calls in a row", || {
            let code = [0x41, 0, 0x11, 0, 0].repeat(5_000);
            let table = list(TABLE, &[vec![0x70, 0, 1]]);
            beside(body(&[0], &code)).with(TABLE, table).module()
        }),
        ("ten thousand imports of one function", || {
            let mut parts = Parts::new();
            parts.types.push(binary::func_type(&[], &[I32]));
            let import = binary::import(b"wasi_snapshot_preview1", b"sched_yield", &[0, 1]);
            parts.imports = vec![import; 10_000];
            parts.module()
        }),
        ("a hundred thousand global variables", || {
            let global = [I32, 1, 0x41, 0, 0x0b];
            let globals = binary::repeated(binary::GLOBAL, 100_000, &global);
            Parts::new().with(binary::GLOBAL, globals).module()
        }),
        ("ninety thousand pieces of data", || {
            let data = binary::repeated(binary::DATA, 90_000, &[1, 1, b'x']);
            Parts::new().with(binary::DATA, data).module()
        }),
        ("a table of foreign references", || {
            let table = list(TABLE, &[vec![0x6f, 0, 1]]);
            Parts::new().with(TABLE, table).module()
        }),
        ("fifty thousand exports", || {
            let mut exports: Vec<Vec<u8>> = (0..50_000)
                .map(|number: u32| {
                    let mut name = String::new();
                    write!(name, "x{number}").unwrap();
                    [binary::name(name.as_bytes()), vec![0, 0]].concat()
                })
                .collect();
            exports.push([binary::name(b"_start"), vec![0, 0]].concat());
            exports.push([binary::name(b"memory"), vec![2, 0]].concat());
            let exports = list(binary::EXPORT, &exports);
            Parts::new().with(binary::EXPORT, exports).module()
        }),
    ]
}

/// Compiles it, and lets it run when that comes to an end: the code of the outcome.
fn set_off(module: &[u8]) -> &'static str {
    wait(async {
        let mut child = match start(module, &LIMITS).await {
            Ok(child) => child,
            Err(error) => return error.code(),
        };
        let pid = child.control().pid();
        let outcome = child.run(b"", 0).await;
        drop(child);
        wait_until_gone(pid);
        match outcome {
            Ok(_) => "compiled",
            Err(failure) => failure.code(),
        }
    })
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, make) in for_the_compiler() {
        cases.push(case(
            format!("{what}: compiled, cannot-compile or timed-out"),
            move || {
                let code = set_off(&make());
                assert!(
                    ["compiled", "cannot-compile", "timed-out"].contains(&code),
                    "{code}"
                );
                // The parent has come to no harm.
                let output = run_once(&skill(ECHO), &LIMITS, b"!", 0);
                assert_eq!(output.unwrap(), b"\0\0\0\0\0\0\0\0!");
            },
        ));
    }
    let bombs = [traps(), sizes(), stacks(), floods()].into_iter().flatten();
    for bomb in bombs {
        let code = match &bomb.expected {
            Ok(_) => "is borne",
            Err(failure) => failure.code(),
        };
        cases.push(case(format!("{}: {code}", bomb.what), move || {
            let module = skill_with(bomb.more, &bomb.body);
            assert_eq!(run_once(&module, &LIMITS, b"input", 1), bomb.expected);
        }));
    }
    for (what, body) in ENDLESS {
        cases.push(case(format!("{what}: timed-out"), move || {
            let body = format!("(loop $again {body} (br $again))");
            let begin = Instant::now();
            let outcome = run_once(&skill(&body), &SHORT, b"", 1);
            assert_eq!(outcome.unwrap_err().code(), "timed-out");
            assert!(begin.elapsed() >= Duration::from_millis(SHORT.segment_wall_ms.into()));
        }));
    }
    cases
}
