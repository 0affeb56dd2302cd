//! Tokens with which one key is used, and the generator that they depend on.

use super::call::Call;
use super::error::NcloudError;
use super::input::Input;
use super::output::{Output, millis};
use super::route::Operation;
use crate::domain::key_token::{TokenGenerator, TokenUse};
use crate::service::key_tokens::{GeneratorChange, TokenOrder};
use serde::Serialize;
use std::time::Duration;

/// How long tokens last if a request does not say it, in hours.
const ACCESS_HOURS: u64 = 72;
const REFRESH_HOURS: u64 = 2160;
const MAX_HOURS: u64 = 17_520;
/// As long as there is time.
const UNLIMITED: &str = "UL";

/// POST, PUT and DELETE .../token-generator
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn change_generator(call: &Call<'_>) -> Result<Output, NcloudError> {
    let change = match call.route.operation {
        Operation::CreateTokenGenerator => GeneratorChange::Create,
        Operation::ReplaceTokenGenerator => GeneratorChange::Replace,
        _ => GeneratorChange::Delete,
    };
    call.kms.change_token_generator(&call.ctx, call.key()?, change).await?;
    call.answer(&())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generator {
    token_generator_id: Option<String>,
    status: &'static str,
    enabled_date: Option<i64>,
    disabled_date: Option<i64>,
    issued_token_count: u64,
}

/// GET .../token-generator. One that was never there is shown as INACTIVE, as a deleted one is.
///
/// # Errors
/// NOT_FOUND, UNPROCESSABLE_ENTITY.
pub async fn generator(call: &Call<'_>) -> Result<Output, NcloudError> {
    let generator = call.kms.token_generator(&call.ctx, call.key()?).await?;
    let issued_token_count = generator.map_or(0, |view| view.issued);
    let generator = generator.map(|view| view.generator);
    let active = generator.as_ref().is_some_and(TokenGenerator::is_active);
    call.answer(&Generator {
        token_generator_id: generator.map(|generator| generator.id.to_string()),
        status: if active { "ACTIVE" } else { "INACTIVE" },
        enabled_date: generator.map(|generator| millis(generator.enabled_at)),
        disabled_date: generator.and_then(|generator| generator.disabled_at).map(millis),
        issued_token_count,
    })
}

/// How long a token is to last. Older pages of the cloud's documents send numbers as texts.
pub(crate) fn order(usage: TokenUse, input: &mut Input) -> Result<TokenOrder, NcloudError> {
    let (name, default) = match usage {
        TokenUse::Access => ("accessTokenHours", ACCESS_HOURS),
        TokenUse::Refresh => ("refreshTokenHours", REFRESH_HOURS),
    };
    let Some(text) = input.int_or_text(name)? else { return Ok((usage, Some(hours(default)))) };
    if text == UNLIMITED {
        return Ok((usage, None));
    }
    let number = text.parse().ok().filter(|number| (1..=MAX_HOURS).contains(number) && number.to_string() == text);
    let wrong = || NcloudError::invalid(format!("{name} must be 1 to {MAX_HOURS}, or \"{UNLIMITED}\""));
    Ok((usage, Some(hours(number.ok_or_else(wrong)?))))
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 60 * 60)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenSet<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
}

/// POST .../token-set with a signature, PUT .../token-set with a refresh token, which stays good.
///
/// # Errors
/// INVALID_REQUEST, UNAUTHORIZED, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn token_set(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let orders = [order(TokenUse::Access, &mut input)?, order(TokenUse::Refresh, &mut input)?];
    let [access_token, refresh_token] = call.kms.issue_key_tokens(&call.ctx, call.key()?, orders).await?;
    call.answer(&TokenSet { access_token: &access_token, refresh_token: &refresh_token })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken<'a> {
    access_token: &'a str,
}

/// POST .../access-token with a refresh token.
///
/// # Errors
/// As [`token_set`].
pub async fn access_token(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let orders = [order(TokenUse::Access, &mut input)?];
    let [access_token] = call.kms.issue_key_tokens(&call.ctx, call.key()?, orders).await?;
    call.answer(&AccessToken { access_token: &access_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("{}", Some(Some(72)))]
    #[case(r#"{"accessTokenHours":1}"#, Some(Some(1)))]
    #[case(r#"{"accessTokenHours":"17520"}"#, Some(Some(17_520)))]
    #[case(r#"{"accessTokenHours":"UL"}"#, Some(None))]
    #[case(r#"{"accessTokenHours":0}"#, None)]
    #[case(r#"{"accessTokenHours":17521}"#, None)]
    #[case(r#"{"accessTokenHours":-1}"#, None)]
    #[case(r#"{"accessTokenHours":"ul"}"#, None)]
    #[case(r#"{"accessTokenHours":"01"}"#, None)]
    #[case(r#"{"accessTokenHours":""}"#, None)]
    #[case(r#"{"accessTokenHours":1.5}"#, None)]
    fn hours_are_1_to_17520_or_unlimited(#[case] body: &str, #[case] expected: Option<Option<u64>>) {
        let mut input = Input::read(body.as_bytes()).unwrap();
        let order = order(TokenUse::Access, &mut input).ok();
        assert_eq!(order.map(|(_, period)| period.map(|period| period.as_secs() / 3600)), expected);
    }
}
