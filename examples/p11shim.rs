//! A PKCS#11 library for tests: it stands before another one and makes its calls slow, failing or stuck.
//!
//! `P11SHIM_MODULE` names the library behind. `P11SHIM_RULES` names a file that is read at every call, one rule a line:
//! `<function or *> <action> [argument]`, where the first rule that fits is taken.
//!
//! | action | what happens |
//! |---|---|
//! | `fail CODE` | the library is not called; the hexadecimal code is returned |
//! | `lie CODE` | the library is called, and the code is returned all the same |
//! | `delay MS` | the library is called after a pause |
//! | `stuck` | the call waits until no rule says so any more, then the library is called |
//!
//! Every call that a rule fits is written to the file of the rules with `.log` at its end.
#![expect(unsafe_code, reason = "a PKCS#11 library is made of C functions")]
#![expect(non_snake_case, reason = "the names are the standard's")]

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_FLAGS, CK_FUNCTION_LIST, CK_MECHANISM, CK_NOTIFY, CK_OBJECT_HANDLE, CK_RV,
    CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CK_USER_TYPE, CKR_FUNCTION_NOT_SUPPORTED, CKR_GENERAL_ERROR, CKR_OK,
    Pkcs11,
};
use std::ffi::c_void;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// The functions of the library behind.
static REAL: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
/// Ours.
static OURS: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();

enum Rule {
    Fail(CK_RV),
    Lie(CK_RV),
    Delay(Duration),
    Stuck,
}

#[expect(clippy::disallowed_methods, reason = "whoever loads a PKCS#11 library can tell it nothing else")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn parse(line: &str, function: &str) -> Option<Rule> {
    let mut words = line.split_whitespace();
    if !matches!(words.next(), Some(name) if name == function || name == "*") {
        return None;
    }
    let (action, argument) = (words.next()?, words.next());
    let code = || CK_RV::from_str_radix(argument?.trim_start_matches("0x"), 16).ok();
    match action {
        "fail" => code().map(Rule::Fail),
        "lie" => code().map(Rule::Lie),
        "delay" => argument?.parse().ok().map(Duration::from_millis).map(Rule::Delay),
        "stuck" => Some(Rule::Stuck),
        _ => None,
    }
}

fn rule(function: &str) -> Option<Rule> {
    let rules = std::fs::read_to_string(variable("P11SHIM_RULES")?).ok()?;
    rules.lines().find_map(|line| parse(line, function))
}

fn log(function: &str) {
    let Some(mut path) = variable("P11SHIM_RULES") else { return };
    path.as_mut_os_string().push(".log");
    if let Ok(mut file) = std::fs::File::options().append(true).create(true).open(path) {
        let _ = writeln!(file, "{function}");
    }
}

fn inject(function: &str, call: impl FnOnce() -> CK_RV) -> CK_RV {
    let Some(rule) = rule(function) else { return call() };
    log(function);
    match rule {
        Rule::Fail(code) => code,
        Rule::Lie(code) => {
            call();
            code
        }
        Rule::Delay(pause) => {
            std::thread::sleep(pause);
            call()
        }
        Rule::Stuck => {
            while matches!(self::rule(function), Some(Rule::Stuck)) {
                std::thread::sleep(Duration::from_millis(10));
            }
            call()
        }
    }
}

macro_rules! shims {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            unsafe extern "C" fn $name($($argument: $kind),*) -> CK_RV {
                inject(stringify!($name), || match REAL.get().and_then(|list| list.$name) {
                    // SAFETY: the arguments are passed on as they came, to the function they were meant for.
                    Some(function) => unsafe { function($($argument),*) },
                    None => CKR_FUNCTION_NOT_SUPPORTED,
                })
            }
        )*

        fn overwrite(list: &mut CK_FUNCTION_LIST) {
            $(list.$name = Some($name);)*
        }
    };
}

shims! {
    C_Initialize(arguments: *mut c_void);
    C_Finalize(reserved: *mut c_void);
    C_GetSlotList(present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG);
    C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, data: *mut c_void, notify: CK_NOTIFY, session: *mut CK_SESSION_HANDLE);
    C_CloseSession(session: CK_SESSION_HANDLE);
    C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_BYTE, bytes: CK_ULONG);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG);
    C_GenerateKey(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, template: *mut CK_ATTRIBUTE, count: CK_ULONG, key: *mut CK_OBJECT_HANDLE);
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    C_WrapKey(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, wrapping: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE, wrapped: *mut CK_BYTE, bytes: *mut CK_ULONG);
    C_UnwrapKey(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, unwrapping: CK_OBJECT_HANDLE, wrapped: *mut CK_BYTE, bytes: CK_ULONG, template: *mut CK_ATTRIBUTE, count: CK_ULONG, key: *mut CK_OBJECT_HANDLE);
    C_EncryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Encrypt(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, bytes: CK_ULONG, out: *mut CK_BYTE, out_bytes: *mut CK_ULONG);
    C_DecryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Decrypt(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, bytes: CK_ULONG, out: *mut CK_BYTE, out_bytes: *mut CK_ULONG);
    C_GenerateRandom(session: CK_SESSION_HANDLE, out: *mut CK_BYTE, bytes: CK_ULONG);
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

/// PKCS#11 2.40, 5.4.
///
/// # Safety
/// `out` must be valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(out: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if REAL.get().is_none() {
        let Some(list) = load() else { return CKR_GENERAL_ERROR };
        let _ = REAL.set(list);
    }
    let Some(real) = REAL.get() else { return CKR_GENERAL_ERROR };
    let ours = OURS.get_or_init(|| {
        let mut list = *real;
        overwrite(&mut list);
        list
    });
    // SAFETY: the caller gave a valid place. The list is static data that callers only read.
    unsafe { out.write(std::ptr::from_ref(ours).cast_mut()) };
    CKR_OK
}
