//! What a setting's type does not say of its value.
//!
//! In: settings that were read. Out: nothing, or what is wrong, with the setting's name. Called by [`super::load`].

use super::{DAY, Settings};
use http::Uri;
use std::time::Duration;

/// The longest time that a token of a login may last. Nothing but its key's revocation ends it earlier.
const MAX_LOGIN_PERIOD: Duration = DAY.saturating_mul(366);

/// Refuses values that would be read well and do harm.
pub(super) fn check(settings: &Settings) -> Result<(), String> {
    let period = settings.access.login_period;
    if period.0.is_zero() || period.0 > MAX_LOGIN_PERIOD {
        return Err(format!("access.login_period = {period}: it must be more than 0 and at most 366d"));
    }
    match settings.access.login_audiences.0.iter().find(|audience| !is_web_address(audience)) {
        Some(audience) => Err(format!("access.login_audiences: {audience:?} is not an absolute http or https URL")),
        None => Ok(()),
    }
}

fn is_web_address(text: &str) -> bool {
    let uri = text.parse::<Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|it| !it.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Period;
    use rstest::rstest;

    #[rstest]
    #[case(Duration::ZERO, false)]
    #[case(Duration::from_millis(1), true)]
    #[case(366 * DAY, true)]
    #[case(367 * DAY, false)]
    fn a_login_lasts_for_more_than_no_time_and_at_most_a_year(#[case] period: Duration, #[case] good: bool) {
        let mut settings = Settings::default();
        settings.access.login_period = Period(period);
        let checked = check(&settings);
        assert_eq!(checked.is_ok(), good, "{checked:?}");
        assert!(good || checked.is_err_and(|text| text.contains("access.login_period")));
    }

    #[rstest]
    #[case("https://kms.example.com/iam/v1/tokens", true)]
    #[case("http://127.0.0.1:8200/iam/v1/tokens", true)]
    #[case("https://kms.example.com", true)]
    #[case("kms.example.com", false)]
    #[case("kms.example.com:443/iam/v1/tokens", false)]
    #[case("/iam/v1/tokens", false)]
    #[case("ftp://kms.example.com/", false)]
    #[case("https://", false)]
    #[case("https:///iam/v1/tokens", false)]
    #[case("https://kms example.com/", false)]
    fn an_audience_is_an_absolute_web_address(#[case] audience: &str, #[case] good: bool) {
        let mut settings = Settings::default();
        settings.access.login_audiences.0 = vec!["https://first.example.com/".into(), audience.into()];
        let checked = check(&settings);
        assert_eq!(checked.is_ok(), good, "{checked:?}");
        assert!(good || checked.is_err_and(|text| text.contains("access.login_audiences")));
    }
}
