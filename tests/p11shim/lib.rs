//! A PKCS#11 library for tests: it stands before another one and makes its calls slow, failing or stuck.
//!
//! `P11SHIM_MODULE` names the library behind. `P11SHIM_RULES` names a file of rules, which is read again whenever it
//! has changed: `<function or *> [after N] [every N] [times N] <action> [argument]`, one a line. Of the rules whose turn
//! a call is, the first is taken: the first N calls are not counted (`after`), then each N-th is the rule's (`every`), and no
//! more than N are (`times`). The counts begin anew with each change of the file.
//!
//! | action | what happens |
//! |---|---|
//! | `fail CODE` | the library is not called; the hexadecimal code is returned |
//! | `lie CODE` | the library is called, and the code is returned all the same |
//! | `delay MS` | the library is called after a pause |
//! | `stuck` | the call waits until the file has no such rule any more, then the library is called |
//! | `reboot` | once: the library behind closes all sessions, and until C_Finalize and C_Initialize every call fails |
//! | `iv HEX`, `iv zero`, `iv fresh`, `iv repeat` | C_EncryptInit: AES-GCM uses this IV, and the caller's buffer gets it |
//!
//! Every call that a rule fits is written to the file of the rules with `.log` at its end. A file with a line that is
//! no rule ends the process.
#![expect(unsafe_code, reason = "a PKCS#11 library is made of C functions")]
#![expect(non_snake_case, reason = "the names are the standard's")]

mod rules;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_FALSE, CK_FLAGS, CK_FUNCTION_LIST, CK_GCM_PARAMS, CK_INFO, CK_MECHANISM,
    CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_NOTIFY, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO,
    CK_SLOT_ID, CK_SLOT_INFO, CK_TOKEN_INFO, CK_ULONG, CK_USER_TYPE, CK_UTF8CHAR, CK_VERSION, CKM_AES_GCM,
    CKR_DEVICE_REMOVED, CKR_FUNCTION_NOT_SUPPORTED, CKR_GENERAL_ERROR, CKR_OK, CKR_SESSION_HANDLE_INVALID, Pkcs11,
};
use rules::{Action, FUNCTIONS, Iv, Rule};
use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// The functions of the library behind.
static REAL: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
/// Ours.
static OURS: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
/// The rules as they were read last.
static LOADED: RwLock<Option<Loaded>> = RwLock::new(None);
/// Whether the token has rebooted and the library was not started anew since.
static REBOOTED: AtomicBool = AtomicBool::new(false);
/// Shared by the calls that are in the library behind; alone, none is.
static INSIDE: RwLock<()> = RwLock::new(());
/// The IV of the encryption before.
static LAST_IV: Mutex<[u8; 12]> = Mutex::new([0; 12]);

/// What tells one state of the file from the next: time, size and number.
type Stamp = (SystemTime, u64, u64);

struct Loaded {
    stamp: Option<Stamp>,
    rules: Arc<Vec<Rule>>,
}

/// A call as the rules see it.
struct Call {
    function: &'static str,
    /// Whether its first argument is a session.
    in_session: bool,
    /// The mechanism of C_EncryptInit.
    encryption: Option<*mut CK_MECHANISM>,
}

#[expect(clippy::disallowed_methods, reason = "whoever loads a PKCS#11 library can tell it nothing else")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn rules_path() -> Option<&'static Path> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| variable("P11SHIM_RULES")).as_deref()
}

fn stamp(metadata: &std::fs::Metadata) -> Option<Stamp> {
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// The rules of the file as it is now.
fn current() -> Arc<Vec<Rule>> {
    let Some(path) = rules_path() else { return Arc::default() };
    let now = std::fs::metadata(path).ok().as_ref().and_then(stamp);
    let known = |loaded: &Option<Loaded>| match loaded {
        Some(loaded) if loaded.stamp == now => Some(Arc::clone(&loaded.rules)),
        _ => None,
    };
    if let Some(rules) = known(&LOADED.read().unwrap_or_else(PoisonError::into_inner)) {
        return rules;
    }
    let mut loaded = LOADED.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(rules) = known(&loaded) {
        return rules;
    }
    let (stamp, text) = read(path).unwrap_or_default();
    let rules = Arc::new(rules::parse(&text).unwrap_or_else(|wrong| refuse(&wrong)));
    *loaded = Some(Loaded { stamp, rules: Arc::clone(&rules) });
    rules
}

/// The stamp and the text of one and the same file, whatever takes its name meanwhile.
fn read(path: &Path) -> std::io::Result<(Option<Stamp>, String)> {
    let mut file = File::open(path)?;
    let stamp = stamp(&file.metadata()?);
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((stamp, text))
}

fn refuse(wrong: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "p11shim: {wrong}");
    std::process::abort()
}

fn log(function: &str) {
    let Some(path) = rules_path() else { return };
    let mut path = path.to_owned();
    path.as_mut_os_string().push(".log");
    if let Ok(mut file) = File::options().append(true).create(true).open(path) {
        let _ = writeln!(file, "{function}");
    }
}

fn inject(call: &Call, real: impl FnOnce() -> CK_RV) -> CK_RV {
    let rules = current();
    let Some(rule) = rules.iter().find(|rule| rule.fits(call.function)) else { return pass(call, real) };
    log(call.function);
    match rule.action {
        Action::Fail(code) => return code,
        Action::Lie(code) => {
            pass(call, real);
            return code;
        }
        Action::Delay(pause) => std::thread::sleep(pause),
        Action::Stuck => {
            let holds = |rule: &Rule| rule.action == Action::Stuck && rule.names(call.function);
            while current().iter().any(holds) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Action::Reboot => reboot(),
        Action::Iv(iv) => make_iv(call, iv),
    }
    pass(call, real)
}

/// Calls the library behind, unless its token has rebooted.
fn pass(call: &Call, real: impl FnOnce() -> CK_RV) -> CK_RV {
    let _inside = INSIDE.read().unwrap_or_else(PoisonError::into_inner);
    if call.function == "C_Finalize" {
        REBOOTED.store(false, Ordering::SeqCst);
    }
    match REBOOTED.load(Ordering::SeqCst) {
        false => real(),
        true if call.in_session => CKR_SESSION_HANDLE_INVALID,
        true => CKR_DEVICE_REMOVED,
    }
}

/// Closes all sessions of the library behind, when no call is in it.
fn reboot() {
    let _alone = INSIDE.write().unwrap_or_else(PoisonError::into_inner);
    let list = REAL.get();
    let (Some(slots), Some(close)) = (list.and_then(|it| it.C_GetSlotList), list.and_then(|it| it.C_CloseAllSessions))
    else {
        refuse("the library behind cannot close its sessions");
    };
    let mut ids: [CK_SLOT_ID; 64] = [0; 64];
    let mut count: CK_ULONG = 64;
    // SAFETY: the array has room for the number of slots that the call is told.
    let listed = unsafe { slots(CK_FALSE, ids.as_mut_ptr(), &raw mut count) };
    let mut found = ids.iter().zip(0..count).map(|(id, _)| *id);
    // SAFETY: the call takes a number, which it checks.
    if listed != CKR_OK || !found.all(|id| unsafe { close(id) } == CKR_OK) {
        refuse("the sessions of the library behind could not be closed");
    }
    REBOOTED.store(true, Ordering::SeqCst);
}

/// Writes the IV into the caller's buffer before the library reads it there.
fn make_iv(call: &Call, iv: Iv) {
    static MADE: AtomicU64 = AtomicU64::new(1);
    let Some(mechanism) = call.encryption.filter(|mechanism| !mechanism.is_null()) else { return };
    // SAFETY: the caller of C_EncryptInit gave a mechanism that is valid for the call.
    let mechanism = unsafe { mechanism.read() };
    let params: *mut CK_GCM_PARAMS = mechanism.pParameter.cast();
    if mechanism.mechanism != CKM_AES_GCM || params.is_null() {
        return;
    }
    // SAFETY: AES-GCM's parameter is a CK_GCM_PARAMS, valid for the call.
    let params = unsafe { params.read() };
    let mut last = LAST_IV.lock().unwrap_or_else(PoisonError::into_inner);
    match iv {
        Iv::Fixed(bytes) => *last = bytes,
        Iv::Zero => *last = [0; 12],
        Iv::Fresh => last[4..].copy_from_slice(&MADE.fetch_add(1, Ordering::SeqCst).to_be_bytes()),
        Iv::Repeat => {}
    }
    if params.ulIvLen != 12 || params.pIv.is_null() {
        refuse("an IV that is not 12 bytes long");
    }
    // SAFETY: the buffer has 12 bytes, and is the caller's to be written to: tokens that make IVs do so.
    unsafe { params.pIv.copy_from(last.as_ptr(), last.len()) };
}

macro_rules! real {
    ($name:ident($($argument:ident),*)) => {
        match REAL.get().and_then(|list| list.$name) {
            // SAFETY: the arguments are passed on as they came, to the function they were meant for.
            Some(function) => unsafe { function($($argument),*) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}

macro_rules! shims {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            unsafe extern "C" fn $name($($argument: $kind),*) -> CK_RV {
                let in_session = stringify!($($argument),*).starts_with("session");
                let call = Call { function: stringify!($name), in_session, encryption: None };
                inject(&call, || real!($name($($argument),*)))
            }
        )*

        const SHIMS: &[&str] = &[$(stringify!($name)),*];

        /// All functions, which the compiler checks.
        fn ours(version: CK_VERSION) -> CK_FUNCTION_LIST {
            CK_FUNCTION_LIST {
                version,
                C_GetFunctionList: Some(C_GetFunctionList),
                C_EncryptInit: Some(C_EncryptInit),
                $($name: Some($name)),*
            }
        }
    };
}

shims! {
    C_Initialize(a: *mut c_void);
    C_Finalize(a: *mut c_void);
    C_GetInfo(a: *mut CK_INFO);
    C_GetSlotList(a: CK_BBOOL, b: *mut CK_SLOT_ID, c: *mut CK_ULONG);
    C_GetSlotInfo(a: CK_SLOT_ID, b: *mut CK_SLOT_INFO);
    C_GetTokenInfo(a: CK_SLOT_ID, b: *mut CK_TOKEN_INFO);
    C_GetMechanismList(a: CK_SLOT_ID, b: *mut CK_MECHANISM_TYPE, c: *mut CK_ULONG);
    C_GetMechanismInfo(a: CK_SLOT_ID, b: CK_MECHANISM_TYPE, c: *mut CK_MECHANISM_INFO);
    C_InitToken(a: CK_SLOT_ID, b: *mut CK_UTF8CHAR, c: CK_ULONG, d: *mut CK_UTF8CHAR);
    C_InitPIN(session: CK_SESSION_HANDLE, b: *mut CK_UTF8CHAR, c: CK_ULONG);
    C_SetPIN(session: CK_SESSION_HANDLE, b: *mut CK_UTF8CHAR, c: CK_ULONG, d: *mut CK_UTF8CHAR, e: CK_ULONG);
    C_OpenSession(a: CK_SLOT_ID, b: CK_FLAGS, c: *mut c_void, d: CK_NOTIFY, e: *mut CK_SESSION_HANDLE);
    C_CloseSession(session: CK_SESSION_HANDLE);
    C_CloseAllSessions(a: CK_SLOT_ID);
    C_GetSessionInfo(session: CK_SESSION_HANDLE, b: *mut CK_SESSION_INFO);
    C_GetOperationState(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG);
    C_SetOperationState(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: CK_OBJECT_HANDLE, e: CK_OBJECT_HANDLE);
    C_Login(session: CK_SESSION_HANDLE, b: CK_USER_TYPE, c: *mut CK_UTF8CHAR, d: CK_ULONG);
    C_Logout(session: CK_SESSION_HANDLE);
    C_CreateObject(session: CK_SESSION_HANDLE, b: *mut CK_ATTRIBUTE, c: CK_ULONG, d: *mut CK_OBJECT_HANDLE);
    C_CopyObject(session: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE, c: *mut CK_ATTRIBUTE, d: CK_ULONG, e: *mut CK_OBJECT_HANDLE);
    C_DestroyObject(session: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE);
    C_GetObjectSize(session: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE, c: *mut CK_ULONG);
    C_GetAttributeValue(session: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE, c: *mut CK_ATTRIBUTE, d: CK_ULONG);
    C_SetAttributeValue(session: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE, c: *mut CK_ATTRIBUTE, d: CK_ULONG);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, b: *mut CK_ATTRIBUTE, c: CK_ULONG);
    C_FindObjects(session: CK_SESSION_HANDLE, b: *mut CK_OBJECT_HANDLE, c: CK_ULONG, d: *mut CK_ULONG);
    C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    C_Encrypt(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_EncryptUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_EncryptFinal(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG);
    C_DecryptInit(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE);
    C_Decrypt(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_DecryptUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_DecryptFinal(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG);
    C_DigestInit(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM);
    C_Digest(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_DigestUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG);
    C_DigestKey(session: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE);
    C_DigestFinal(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG);
    C_SignInit(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE);
    C_Sign(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_SignUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG);
    C_SignFinal(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG);
    C_SignRecoverInit(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE);
    C_SignRecover(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_VerifyInit(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE);
    C_Verify(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG);
    C_VerifyUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG);
    C_VerifyFinal(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG);
    C_VerifyRecoverInit(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE);
    C_VerifyRecover(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_DigestEncryptUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_DecryptDigestUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_SignEncryptUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_DecryptVerifyUpdate(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG);
    C_GenerateKey(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: *mut CK_ATTRIBUTE, d: CK_ULONG, e: *mut CK_OBJECT_HANDLE);
    C_GenerateKeyPair(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: *mut CK_ATTRIBUTE, d: CK_ULONG, e: *mut CK_ATTRIBUTE, f: CK_ULONG, g: *mut CK_OBJECT_HANDLE, h: *mut CK_OBJECT_HANDLE);
    C_WrapKey(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: CK_OBJECT_HANDLE, e: *mut CK_BYTE, f: *mut CK_ULONG);
    C_UnwrapKey(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_ATTRIBUTE, g: CK_ULONG, h: *mut CK_OBJECT_HANDLE);
    C_DeriveKey(session: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: *mut CK_ATTRIBUTE, e: CK_ULONG, f: *mut CK_OBJECT_HANDLE);
    C_SeedRandom(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG);
    C_GenerateRandom(session: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG);
    C_GetFunctionStatus(session: CK_SESSION_HANDLE);
    C_CancelFunction(session: CK_SESSION_HANDLE);
    C_WaitForSlotEvent(a: CK_FLAGS, b: *mut CK_SLOT_ID, c: *mut c_void);
}

unsafe extern "C" fn C_EncryptInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) -> CK_RV {
    let call = Call { function: "C_EncryptInit", in_session: true, encryption: Some(b) };
    inject(&call, || real!(C_EncryptInit(a, b, c)))
}

fn load() -> Option<CK_FUNCTION_LIST> {
    // SAFETY: the library behind is a PKCS#11 library, named by whoever runs the test.
    let library = unsafe { Pkcs11::new(variable("P11SHIM_MODULE")?) }.ok()?;
    let mut list = std::ptr::null_mut();
    // SAFETY: the function writes one pointer through its valid argument.
    let done = unsafe { library.C_GetFunctionList(&raw mut list) };
    // It is never unloaded, so that its functions stay valid.
    std::mem::forget(library);
    // SAFETY: after CKR_OK the pointer is to static data of the library; it is only read.
    (done == CKR_OK && !list.is_null()).then(|| unsafe { list.read() })
}

fn hand_out(out: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    let Some(real) = REAL.get() else { return CKR_GENERAL_ERROR };
    let list = OURS.get_or_init(|| ours(real.version));
    // SAFETY: the caller gave a valid place. The list is static data that callers only read.
    unsafe { out.write(std::ptr::from_ref(list).cast_mut()) };
    CKR_OK
}

/// PKCS#11 2.40, 5.4.
///
/// # Safety
/// `out` must be valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(out: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    let by_hand = ["C_GetFunctionList", "C_EncryptInit"];
    if let Some(name) = SHIMS.iter().chain(&by_hand).find(|name| !FUNCTIONS.contains(name)) {
        refuse(&format!("rules cannot name {name}"));
    }
    if REAL.get().is_none() {
        let Some(list) = load() else { return CKR_GENERAL_ERROR };
        let _ = REAL.set(list);
    }
    let call = Call { function: "C_GetFunctionList", in_session: false, encryption: None };
    inject(&call, || hand_out(out))
}
