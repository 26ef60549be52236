//! The engine's settings, and their hash, which is part of every result.

use omni_types::Digest;
use wasmtime::{Config, OptLevel, Strategy, WasmFeatures};

use crate::admission::FEATURES;

/// Raised whenever something in this crate that a skill can observe changes: its WASI functions,
/// admission, the meaning of a limit.
pub const SANDBOX_VERSION: &str = "1";
/// Stack of a skill, bytes.
pub const MAX_WASM_STACK_BYTES: usize = 1 << 20;

/// Version of the engine; a test compares it with the lock file.
const WASMTIME_VERSION: &str = "48.0.8";

/// One table for the settings and for their hash, so that neither can change alone.
type Setting = (&'static str, fn(&mut Config));

const SETTINGS: &[Setting] = &[
    ("compiler=cranelift", |config| {
        config.strategy(Strategy::Cranelift);
    }),
    ("opt-level=speed", |config| {
        config.cranelift_opt_level(OptLevel::Speed);
    }),
    // The bits of a NaN are the one thing plain WebAssembly leaves to the processor.
    ("nan-canonicalization=on", |config| {
        config.cranelift_nan_canonicalization(true);
    }),
    // Also relaxed SIMD, threads, tail calls, memory64, multi-memory, GC and exceptions.
    ("features-beyond-wasm2=off", |config| {
        config.wasm_features(WasmFeatures::all().difference(FEATURES), false);
    }),
    ("shared-memory=off", |config| {
        config.shared_memory(false);
    }),
    // Interruption is by signal; fuel and epochs would cost 1.7 to 1.8 times on tight kernels.
    ("fuel=off", |config| {
        config.consume_fuel(false);
    }),
    ("epochs=off", |config| {
        config.epoch_interruption(false);
    }),
    ("max-wasm-stack=1048576", |config| {
        config.max_wasm_stack(MAX_WASM_STACK_BYTES);
    }),
    // Copy-on-write images need a memory file, which the child's file size limit forbids.
    ("memory-init-cow=off", |config| {
        config.memory_init_cow(false);
    }),
    ("backtrace=off", |config| {
        config.wasm_backtrace_max_frames(None);
    }),
];

/// The engine configuration every skill runs under.
pub fn engine_config() -> Config {
    let mut config = Config::new();
    for (_, apply) in SETTINGS {
        apply(&mut config);
    }
    config
}

/// Hash over the version of this sandbox, the engine's version and every setting: nodes with
/// the same hash compute the same bytes. The same in debug and release builds and on every system.
pub fn engine_hash() -> Digest {
    let mut parts = vec![SANDBOX_VERSION.as_bytes(), WASMTIME_VERSION.as_bytes()];
    parts.extend(SETTINGS.iter().map(|(name, _)| name.as_bytes()));
    Digest::of_parts("omniswarm/1/engine", &parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_engine_version_is_the_one_in_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"\n");
        assert!(lock.replace("\r\n", "\n").contains(&entry));
    }

    #[test]
    fn the_engine_accepts_its_settings_and_the_stack_is_as_named() {
        wasmtime::Engine::new(&engine_config()).unwrap();
        let stack = format!("max-wasm-stack={MAX_WASM_STACK_BYTES}");
        assert!(SETTINGS.iter().any(|(name, _)| *name == stack));
    }

    #[test]
    fn the_hash_is_the_same_in_every_build() {
        assert_eq!(
            engine_hash().to_string(),
            "634d93c7a262de7727188a2b59eb189b4db56fac48766aafff0b69bf22095612"
        );
    }
}
