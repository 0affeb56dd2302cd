//! The rules of the shim: what the file of them may say. `lib.rs` has the table of actions.
//!
//! In: the file's text. Out: rules that count the calls they name, or what is wrong with the text. A rule that could
//! never inject anything is refused: a test with a typing error would pass without having tested anything.

use std::ffi::c_ulong;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// All functions of PKCS#11 2.40.
pub const FUNCTIONS: [&str; 68] = [
    "C_Initialize",
    "C_Finalize",
    "C_GetInfo",
    "C_GetFunctionList",
    "C_GetSlotList",
    "C_GetSlotInfo",
    "C_GetTokenInfo",
    "C_GetMechanismList",
    "C_GetMechanismInfo",
    "C_InitToken",
    "C_InitPIN",
    "C_SetPIN",
    "C_OpenSession",
    "C_CloseSession",
    "C_CloseAllSessions",
    "C_GetSessionInfo",
    "C_GetOperationState",
    "C_SetOperationState",
    "C_Login",
    "C_Logout",
    "C_CreateObject",
    "C_CopyObject",
    "C_DestroyObject",
    "C_GetObjectSize",
    "C_GetAttributeValue",
    "C_SetAttributeValue",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_EncryptInit",
    "C_Encrypt",
    "C_EncryptUpdate",
    "C_EncryptFinal",
    "C_DecryptInit",
    "C_Decrypt",
    "C_DecryptUpdate",
    "C_DecryptFinal",
    "C_DigestInit",
    "C_Digest",
    "C_DigestUpdate",
    "C_DigestKey",
    "C_DigestFinal",
    "C_SignInit",
    "C_Sign",
    "C_SignUpdate",
    "C_SignFinal",
    "C_SignRecoverInit",
    "C_SignRecover",
    "C_VerifyInit",
    "C_Verify",
    "C_VerifyUpdate",
    "C_VerifyFinal",
    "C_VerifyRecoverInit",
    "C_VerifyRecover",
    "C_DigestEncryptUpdate",
    "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_WrapKey",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_SeedRandom",
    "C_GenerateRandom",
    "C_GetFunctionStatus",
    "C_CancelFunction",
    "C_WaitForSlotEvent",
];

/// The IV that an encryption is made to use, as by a token that makes IVs itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iv {
    /// These 12 bytes.
    Fixed([u8; 12]),
    /// All bits zero.
    Zero,
    /// One that was never used before.
    Fresh,
    /// The one of the encryption before, in whatever session that was.
    Repeat,
}

/// What a rule does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Returns a code instead of calling the library.
    Fail(c_ulong),
    /// Calls the library and returns a code all the same.
    Lie(c_ulong),
    /// Calls the library after a pause.
    Delay(Duration),
    /// Calls the library when no rule holds the call any more.
    Stuck,
    /// Has the token lose all sessions, and the library answer nothing before it is started anew.
    Reboot,
    /// Has the library encrypt under another IV, which the caller is told.
    Iv(Iv),
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// The function; `None` for all.
    function: Option<&'static str>,
    after: u64,
    every: u64,
    times: u64,
    /// What happens.
    pub action: Action,
    calls: AtomicU64,
}

impl Rule {
    /// Whether the rule is about this function.
    pub fn names(&self, function: &str) -> bool {
        self.function.is_none_or(|name| name == function)
    }

    /// Counts a call, and tells whether it is its turn.
    pub fn fits(&self, function: &str) -> bool {
        if !self.names(function) {
            return false;
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let turn = call.saturating_sub(self.after);
        turn > 0 && turn.is_multiple_of(self.every) && turn / self.every <= self.times
    }
}

/// Reads rules, one a line.
///
/// # Errors
/// What is wrong with the first line that is no rule.
pub fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| rule(line).map_err(|wrong| format!("{wrong} in the rule {line:?}"))).collect()
}

fn rule(line: &str) -> Result<Rule, String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let function = FUNCTIONS.into_iter().find(|known| *known == name);
    if function.is_none() && name != "*" {
        return Err(format!("there is no function {name:?}"));
    }
    let (mut after, mut every, mut times) = (0, 1, None);
    let action = loop {
        let word = words.next().ok_or("no action")?;
        let mut argument = || words.next().ok_or(format!("{word:?} without its argument"));
        match word {
            "after" => after = number(argument()?)?,
            "every" => every = number(argument()?)?.max(1),
            "times" => times = Some(number(argument()?)?.max(1)),
            "fail" => break Action::Fail(code(argument()?)?),
            "lie" => break Action::Lie(code(argument()?)?),
            "delay" => break Action::Delay(Duration::from_millis(number(argument()?)?)),
            "stuck" => break Action::Stuck,
            "reboot" => break Action::Reboot,
            "iv" if name == "C_EncryptInit" => break Action::Iv(iv(argument()?)?),
            "iv" => return Err("IVs are made in C_EncryptInit only".to_owned()),
            _ => return Err(format!("there is no action {word:?}")),
        }
    };
    if let Some(word) = words.next() {
        return Err(format!("{word:?} is too much"));
    }
    let times = times.unwrap_or(if action == Action::Reboot { 1 } else { u64::MAX });
    Ok(Rule { function, after, every, times, action, calls: AtomicU64::new(0) })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn code(text: &str) -> Result<c_ulong, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    c_ulong::from_str_radix(digits, 16).map_err(|_| format!("{text:?} is no hexadecimal code"))
}

fn iv(text: &str) -> Result<Iv, String> {
    match text {
        "zero" => Ok(Iv::Zero),
        "fresh" => Ok(Iv::Fresh),
        "repeat" => Ok(Iv::Repeat),
        _ => {
            let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            bytes.map(Iv::Fixed).ok_or_else(|| format!("{text:?} is no IV of 12 bytes"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(line: &str) -> Vec<usize> {
        let rules = parse(line).unwrap();
        (1..=9).filter(|_| rules[0].fits("C_Encrypt")).collect()
    }

    #[test]
    fn a_rule_fits_the_calls_whose_turn_it_is() {
        assert_eq!(turns("C_Encrypt fail 0x30"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(turns("* after 3 every 2 fail 0x30"), [5, 7, 9]);
        assert_eq!(turns("C_Encrypt every 4 times 1 stuck"), [4]);
        assert_eq!(turns("* reboot"), [1]);
        assert_eq!(turns("C_Decrypt stuck"), [0; 0]);
    }

    #[test]
    fn every_action_is_read() {
        let actions = |text: &str| parse(text).unwrap().into_iter().map(|rule| rule.action).collect::<Vec<_>>();
        let calls = "C_Sign fail 0xE0\n\nC_Login lie 5\n* delay 20\n* stuck\nC_Finalize reboot";
        let pause = Action::Delay(Duration::from_millis(20));
        assert_eq!(actions(calls), [Action::Fail(0xE0), Action::Lie(5), pause, Action::Stuck, Action::Reboot]);
        let ivs = "C_EncryptInit iv zero\nC_EncryptInit iv fresh\nC_EncryptInit iv repeat\nC_EncryptInit iv 00ff00ff00ff00ff00ff00ff";
        let fixed = Iv::Fixed([0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255]);
        assert_eq!(actions(ivs), [Iv::Zero, Iv::Fresh, Iv::Repeat, fixed].map(Action::Iv));
    }

    #[test]
    fn a_rule_that_would_inject_nothing_is_refused() {
        let wrong = [
            "C_Encyrpt fail 0x30",
            "C_Encrypt",
            "C_Encrypt fail",
            "C_Encrypt fail zero",
            "C_Encrypt explode",
            "C_Encrypt after fail 0x30",
            "C_Encrypt stuck 3",
            "C_Encrypt iv zero",
            "C_EncryptInit iv 00ff",
        ];
        for line in wrong {
            assert!(parse(line).is_err(), "{line:?} was accepted");
        }
    }
}
