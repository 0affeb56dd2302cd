//! What the process asks of the kernel so that keys stay in its memory: no swap, no core dumps, no debugger.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};

/// A lock limit below this would later fail allocations: with `MCL_FUTURE` every mapping counts against it,
/// thread stacks and allocator arenas included, whether used or not.
const LEAST_LOCK_LIMIT_BYTES: u64 = 4 << 30;

/// Switches core dumps and tracing by other processes of the same user off.
///
/// # Errors
/// The kernel's refusal, as text.
pub fn forbid_dumps() -> Result<(), String> {
    let hard = getrlimit(Resource::Core).maximum;
    let refused = |what: &str, error: rustix::io::Errno| format!("{what}: {error}");
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: hard })
        .map_err(|error| refused("setting the core dump limit", error))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| refused("switching core dumps and tracing off", error))
}

/// Has the kernel kill this process when the one that started it ends, however it ends.
///
/// # Errors
/// The kernel's refusal, as text.
pub fn end_with_parent() -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())
}

/// Locks all memory that is used now or later, page by page as it is first touched.
///
/// # Errors
/// Why memory may be swapped out, and what the operator can do about it.
pub fn lock_memory() -> Result<(), String> {
    let hard = getrlimit(Resource::Memlock).maximum;
    let unlimited = hard.is_none_or(|bytes| bytes >= LEAST_LOCK_LIMIT_BYTES) || may_lock_any_memory();
    if !unlimited {
        return Err("the limit for locked memory is too low (systemd: LimitMEMLOCK=infinity, shell: ulimit -l)".into());
    }
    // Not to be able to raise the soft limit only matters if mlockall then fails.
    let _ = setrlimit(Resource::Memlock, Rlimit { current: hard, maximum: hard });
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|error| format!("mlockall: {error}"))
}

fn may_lock_any_memory() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}
