//! Decides from its bytes alone, before any compilation, whether a module may run.

use omni_types::ResourceLimits;
use wasmparser::{
    ExternalKind, FuncType, FuncValidatorAllocations, Parser, Payload, TypeRef, ValType,
    ValidPayload, Validator, WasmFeatures,
};

use crate::Refusal;

/// Largest module, bytes.
pub const MAX_MODULE_BYTES: usize = 4 << 20;
/// Most functions a module defines.
pub const MAX_FUNCTIONS: u32 = 20_000;
/// Largest body of one function, bytes; compile time grows faster than this.
pub const MAX_FUNCTION_BYTES: usize = 512 << 10;
/// Most tables in one module.
pub const MAX_TABLES: u32 = 4;
/// Most elements of one table, at any time.
pub const MAX_TABLE_ELEMENTS: u64 = 100_000;

/// The one module name that may be imported from.
pub(crate) const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// WebAssembly 2.0: what compilers emit by default, and nothing newer. No threads, no relaxed SIMD,
/// no second memory, no 64-bit memory, no garbage collection, no exceptions, no tail calls.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::WASM2;

const PAGE_BYTES: u64 = 64 << 10;
/// Longest part of a foreign name that is shown, characters.
const MAX_SHOWN_CHARS: usize = 64;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// What a skill may import from [`WASI_MODULE`], with parameters and results.
const ALLOWED: &[(&str, &[ValType], &[ValType])] = &[
    ("args_get", &[I32, I32], &[I32]),
    ("args_sizes_get", &[I32, I32], &[I32]),
    ("clock_time_get", &[I32, I64, I32], &[I32]),
    ("environ_get", &[I32, I32], &[I32]),
    ("environ_sizes_get", &[I32, I32], &[I32]),
    ("fd_close", &[I32], &[I32]),
    ("fd_fdstat_get", &[I32, I32], &[I32]),
    ("fd_prestat_dir_name", &[I32, I32, I32], &[I32]),
    ("fd_prestat_get", &[I32, I32], &[I32]),
    ("fd_read", &[I32, I32, I32, I32], &[I32]),
    ("fd_seek", &[I32, I64, I32, I32], &[I32]),
    ("fd_write", &[I32, I32, I32, I32], &[I32]),
    ("proc_exit", &[I32], &[]),
    ("random_get", &[I32, I32], &[I32]),
    ("sched_yield", &[], &[I32]),
];

/// Proof that a module was looked at, and what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    memory_min_bytes: u64,
    functions: u32,
}

impl Admitted {
    /// Linear memory the module needs from the beginning, bytes.
    pub fn memory_min_bytes(&self) -> u64 {
        self.memory_min_bytes
    }

    /// Functions the module defines.
    pub fn functions(&self) -> u32 {
        self.functions
    }

    /// Checks what the module declares against the limits of a run.
    ///
    /// # Errors
    /// [`Refusal::MemoryTooLarge`].
    pub fn fits(&self, limits: &ResourceLimits) -> Result<(), Refusal> {
        if self.memory_min_bytes > limits.memory_bytes {
            return Err(Refusal::MemoryTooLarge);
        }
        Ok(())
    }
}

/// Admits `module` or names the first reason against it. The answer depends on the bytes only.
///
/// # Errors
/// Every [`Refusal`] except [`Refusal::CannotCompile`]; [`Refusal::MemoryTooLarge`] is left to
/// [`Admitted::fits`].
pub fn admit(module: &[u8]) -> Result<Admitted, Refusal> {
    if module.len() > MAX_MODULE_BYTES {
        return Err(Refusal::TooLarge);
    }
    let mut survey = Survey::default();
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|_| Refusal::Malformed)?;
        survey.look_at(&payload)?;
        match validator.payload(&payload) {
            Ok(ValidPayload::Func(function, body)) => {
                let mut function = function.into_validator(allocations);
                function.validate(&body).map_err(|_| Refusal::Malformed)?;
                allocations = function.into_allocations();
            }
            Ok(_) => {}
            Err(_) => return Err(Refusal::Malformed),
        }
    }
    survey.finish()
}

/// What has been seen of a module so far. The validator follows one step behind, so indices are
/// not yet known to be good.
#[derive(Default)]
struct Survey {
    types: Vec<FuncType>,
    /// Type of every function, imported ones first.
    functions: Vec<u32>,
    defined: u32,
    memory_min_bytes: Option<u64>,
    entry: Option<u32>,
    memory_shown: bool,
}

impl Survey {
    fn look_at(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone().into_iter_err_on_gc_types() {
                    self.types.push(group.map_err(|_| Refusal::Malformed)?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(|_| Refusal::Malformed)?;
                    self.import(import.module, import.name, import.ty)?;
                }
            }
            Payload::FunctionSection(section) => {
                self.defined = section.count();
                if self.defined > MAX_FUNCTIONS {
                    return Err(Refusal::TooManyFunctions);
                }
                for function in section.clone() {
                    self.functions
                        .push(function.map_err(|_| Refusal::Malformed)?);
                }
            }
            Payload::TableSection(section) => {
                if section.count() > MAX_TABLES {
                    return Err(Refusal::TooManyTables);
                }
                for table in section.clone() {
                    let table = table.map_err(|_| Refusal::Malformed)?;
                    if table.ty.initial > MAX_TABLE_ELEMENTS {
                        return Err(Refusal::TableTooLarge);
                    }
                }
            }
            Payload::MemorySection(section) => {
                if section.count() > 1 {
                    return Err(Refusal::TooManyMemories);
                }
                for memory in section.clone() {
                    let memory = memory.map_err(|_| Refusal::Malformed)?;
                    self.memory_min_bytes = Some(memory.initial.saturating_mul(PAGE_BYTES));
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(|_| Refusal::Malformed)?;
                    match (export.name, export.kind) {
                        ("_start", ExternalKind::Func) => self.entry = Some(export.index),
                        ("memory", ExternalKind::Memory) => self.memory_shown = true,
                        _ => {}
                    }
                }
            }
            Payload::StartSection { .. } => return Err(Refusal::StartFunction),
            Payload::CodeSectionEntry(body) if body.as_bytes().len() > MAX_FUNCTION_BYTES => {
                return Err(Refusal::FunctionTooLarge);
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef) -> Result<(), Refusal> {
        let refused = || Refusal::ImportNotAllowed {
            module: shown(module),
            name: shown(name),
        };
        let TypeRef::Func(index) = ty else {
            return Err(refused());
        };
        let (name, params, results) = ALLOWED
            .iter()
            .find(|(allowed, ..)| module == WASI_MODULE && name == *allowed)
            .ok_or_else(refused)?;
        if !self.has_type(index, params, results) {
            return Err(Refusal::ImportSignature { name });
        }
        self.functions.push(index);
        Ok(())
    }

    fn has_type(&self, index: u32, params: &[ValType], results: &[ValType]) -> bool {
        self.types
            .get(index as usize)
            .is_some_and(|ty| ty.params() == params && ty.results() == results)
    }

    fn finish(self) -> Result<Admitted, Refusal> {
        let started = self
            .entry
            .and_then(|index| self.functions.get(index as usize))
            .is_some_and(|ty| self.has_type(*ty, &[], &[]));
        if !started {
            return Err(Refusal::NoEntry);
        }
        match self.memory_min_bytes {
            Some(memory_min_bytes) if self.memory_shown => Ok(Admitted {
                memory_min_bytes,
                functions: self.defined,
            }),
            _ => Err(Refusal::NoMemory),
        }
    }
}

/// A foreign name, short and printable.
fn shown(name: &str) -> String {
    name.chars()
        .take(MAX_SHOWN_CHARS)
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_shown_short_and_printable() {
        assert_eq!(shown("env\u{202e}\n\"x"), "env??\"x");
        assert_eq!(shown(&"a".repeat(1000)).len(), MAX_SHOWN_CHARS);
    }
}
