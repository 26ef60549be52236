//! One compiled skill and its runs. Each run has a new store and instance, so nothing is left over
//! from the run before.

use omni_types::{ResourceLimits, seed::Draws, work::MAX_OUTPUT_BYTES};
use wasmtime::{Engine, InstancePre, Linker, Module, ResourceLimiter, Store, Trap};

use crate::{
    TrapKind,
    admission::{MAX_TABLE_ELEMENTS, admit},
    engine::engine_config,
    frame::Fault,
    wasi::{self, Stop},
};

/// A compiled module, ready to run.
pub(crate) struct Skill {
    engine: Engine,
    ready: InstancePre<Guest>,
    limits: ResourceLimits,
}

/// What one running skill can see and has done so far.
pub(crate) struct Guest {
    /// Standard input: seed and input.
    pub(crate) input: Vec<u8>,
    /// Bytes of `input` already read.
    pub(crate) read: usize,
    /// Standard output so far.
    pub(crate) output: Vec<u8>,
    /// Most bytes of `output`.
    pub(crate) output_limit: usize,
    /// What `random_get` draws from.
    pub(crate) draws: Draws,
    memory_limit: u64,
    growth_denied: bool,
}

impl Skill {
    /// Compiles `module`; `None` when it is not admitted or the engine cannot translate it.
    pub(crate) fn compile(module: &[u8], limits: ResourceLimits) -> Option<Self> {
        admit(module).ok()?.fits(&limits).ok()?;
        let engine = Engine::new(&engine_config()).ok()?;
        let module = Module::from_binary(&engine, module).ok()?;
        let mut linker = Linker::new(&engine);
        wasi::link(&mut linker).ok()?;
        let ready = linker.instantiate_pre(&module).ok()?;
        Some(Self {
            engine,
            ready,
            limits,
        })
    }

    /// Runs the skill once: standard input is `seed` (8 bytes, little endian) and `input`.
    pub(crate) fn run(&self, input: &[u8], seed: u64) -> Result<Vec<u8>, Fault> {
        let guest = Guest {
            input: [&seed.to_le_bytes(), input].concat(),
            read: 0,
            output: Vec::new(),
            output_limit: (self.limits.output_bytes as usize).min(MAX_OUTPUT_BYTES),
            draws: Draws::new(seed),
            memory_limit: self.limits.memory_bytes,
            growth_denied: false,
        };
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| guest);
        let ended = self.ready.instantiate(&mut store).and_then(|instance| {
            instance
                .get_typed_func::<(), ()>(&mut store, "_start")?
                .call(&mut store, ())
        });
        let guest = store.into_data();
        match ended {
            Ok(()) => Ok(guest.output),
            Err(error) => match fault(&error, guest.growth_denied) {
                None => Ok(guest.output),
                Some(fault) => Err(fault),
            },
        }
    }
}

/// What the end of a run means; `None` for an exit with code 0.
fn fault(error: &wasmtime::Error, growth_denied: bool) -> Option<Fault> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Exit(0) => None,
            Stop::Exit(_) if growth_denied => Some(Fault::MemoryLimit),
            Stop::Exit(code) => Some(Fault::ExitCode { code: *code }),
            Stop::OutputTooLarge => Some(Fault::OutputTooLarge),
            Stop::Engine => Some(Fault::Engine),
        };
    }
    let kind = match error.downcast_ref::<Trap>() {
        None => return Some(Fault::Engine),
        Some(Trap::StackOverflow) => return Some(Fault::StackOverflow),
        Some(_) if growth_denied => return Some(Fault::MemoryLimit),
        Some(Trap::UnreachableCodeReached) => TrapKind::Unreachable,
        Some(Trap::MemoryOutOfBounds) => TrapKind::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds) => TrapKind::TableOutOfBounds,
        Some(Trap::IndirectCallToNull) => TrapKind::NullCall,
        Some(Trap::BadSignature) => TrapKind::BadSignature,
        Some(Trap::IntegerOverflow) => TrapKind::IntegerOverflow,
        Some(Trap::IntegerDivisionByZero) => TrapKind::DivisionByZero,
        Some(Trap::BadConversionToInteger) => TrapKind::BadConversion,
        Some(_) => TrapKind::Other,
    };
    Some(Fault::Trap { kind })
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed =
            desired as u64 <= self.memory_limit && maximum.is_none_or(|max| desired <= max);
        self.growth_denied |= !allowed;
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        // Growth that `memory_growing` allowed failed for want of memory on this computer. A skill
        // that went on without it could end with other bytes than elsewhere.
        Err(Stop::Engine.into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired as u64 <= MAX_TABLE_ELEMENTS && maximum.is_none_or(|max| desired <= max))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Stop::Engine.into())
    }
}
