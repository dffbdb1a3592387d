//! What `cargo xtask gate` counts the instructions of: one step of the hot path for each name.

mod blank;
mod engine_steps;
mod net_steps;
mod shard_steps;
mod wire_steps;

use std::hint::black_box;
use std::process::ExitCode;

/// One step, prepared; every call does the same work again.
type Step = Box<dyn FnMut()>;

/// A name, and what prepares its step.
type Named = (&'static str, fn() -> Step);

/// Without an argument the names of all steps; with one of these names, that step, once to warm up and once to count.
fn main() -> ExitCode {
    let steps =
        || [wire_steps::ALL, engine_steps::ALL, shard_steps::ALL, net_steps::ALL].into_iter().flatten();
    // `cargo bench` passes a flag.
    let Some(wanted) = std::env::args().nth(1).filter(|argument| !argument.starts_with("--")) else {
        steps().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let Some((_, prepare)) = steps().find(|(name, _)| *name == wanted) else {
        eprintln!("there is no step of the name {wanted}");
        return ExitCode::FAILURE;
    };
    let mut step = prepare();
    step();
    instructions_counted(&mut step);
    // What is torn down is nobody's step.
    std::mem::forget(step);
    ExitCode::SUCCESS
}

/// Callgrind counts from the entry to the return of the function of this name.
#[inline(never)]
fn instructions_counted(step: &mut Step) {
    step();
    // The call is not the last thing here, or it would become a jump out of this function.
    black_box(());
}
