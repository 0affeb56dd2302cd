//! Asking before something is done that cannot be undone, or is a nuisance to undo.

use super::super::{Exit, Failure};
use super::arguments::Consent;
use super::table::printable;
use std::io::{BufRead, IsTerminal, Write};

/// Asks, unless the command line says yes already. `question` is only made if somebody is asked.
///
/// # Errors
/// [`Exit::Usage`] if nobody can be asked, [`Exit::Failed`] for any answer but yes.
pub fn ask(consent: Consent, question: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
    if consent.yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::new(Exit::Usage, "this has to be confirmed: say --yes, since nobody can be asked here"));
    }
    decide(&question()?, &mut stdin.lock(), &mut std::io::stderr().lock())
}

fn decide(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> Result<(), Failure> {
    // Without the question there is no answer, which is a no.
    let _ = write!(output, "{} [y/N] ", printable(question)).and_then(|()| output.flush());
    let mut answer = String::new();
    let read = input.read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        let decide = |answer: &str| decide("Delete it?", &mut answer.as_bytes(), &mut Vec::new());
        assert!(decide("y\n").is_ok() && decide("yes").is_ok() && decide(" Y \n").is_ok());
        for answer in ["", "\n", "n\n", "no\n", "yeah\n", "\u{3}"] {
            assert_eq!(decide(answer).unwrap_err().exit, Exit::Failed, "{answer:?}");
        }
    }

    #[test]
    fn the_question_is_asked_in_one_line() {
        let mut asked = Vec::new();
        decide("Delete \"a\nb\"?", &mut "y".as_bytes(), &mut asked).unwrap();
        assert_eq!(String::from_utf8(asked).unwrap(), "Delete \"a\\u{a}b\"? [y/N] ");
    }

    #[test]
    fn nobody_is_asked_if_the_command_line_says_yes() {
        assert!(ask(Consent { yes: true }, || panic!("the question was made")).is_ok());
    }
}
