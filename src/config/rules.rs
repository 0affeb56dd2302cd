//! What a setting's type does not say of its value.
//!
//! In: settings that were read. Out: nothing, or what is wrong, with the setting's name. Called by [`super::load`].

use super::{Aws, DAY, Settings};
use http::Uri;
use std::time::Duration;

/// The longest time that a token of a login may last. Nothing but its key's revocation ends it earlier.
const MAX_LOGIN_PERIOD: Duration = DAY.saturating_mul(366);
/// The longest region (AWS KMS, RegionType: 32 characters).
const MAX_REGION: usize = 32;

/// Refuses values that would be read well and do harm.
pub(super) fn check(settings: &Settings) -> Result<(), String> {
    let period = settings.access.login_period;
    if period.0.is_zero() || period.0 > MAX_LOGIN_PERIOD {
        return Err(format!("access.login_period = {period}: it must be more than 0 and at most 366d"));
    }
    if let Some(audience) = settings.access.login_audiences.0.iter().find(|audience| !is_web_address(audience)) {
        return Err(format!("access.login_audiences: {audience:?} is not an absolute http or https URL"));
    }
    check_regions(&settings.aws)
}

/// Requests are signed for a region, and ARNs have it between colons.
fn check_regions(aws: &Aws) -> Result<(), String> {
    let named = [("aws.region", &aws.region)];
    let named: Vec<_> =
        named.into_iter().chain(aws.extra_regions.0.iter().map(|it| ("aws.extra_regions", it))).collect();
    for (at, (setting, region)) in named.iter().enumerate() {
        if !is_region(region) {
            return Err(format!("{setting}: {region:?} is not a region: it must be as us-east-1 is"));
        }
        if named.iter().take(at).any(|(_, before)| before == region) {
            return Err(format!("{setting}: {region} is there twice, or is aws.region"));
        }
    }
    Ok(())
}

/// The form of AWS's own: words of lower-case letters, the first of at least two, and a number.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let words: Vec<_> = words.split('-').collect();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let long = words.len() >= 2 && words.first().is_some_and(|first| first.len() >= 2);
    number && long && words.iter().all(is_word) && text.len() <= MAX_REGION
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

    #[rstest]
    #[case("us-east-1", "", true)]
    #[case("us-gov-west-1", "eu-central-1,ap-southeast-12", true)]
    #[case("us-east-1", "us-east-1", false)]
    #[case("us-east-1", "eu-west-1,eu-west-1", false)]
    #[case("", "", false)]
    #[case("us-east", "", false)]
    #[case("us-east-", "", false)]
    #[case("us-1", "", false)]
    #[case("u-east-1", "", false)]
    #[case("US-EAST-1", "", false)]
    #[case("us--1", "", false)]
    #[case("us-east-1a", "", false)]
    #[case("us_east_1", "", false)]
    #[case("us-east-1:", "", false)]
    #[case("on-premises-in-a-very-long-place-1", "", false)]
    #[case("us-east-1", "somewhere", false)]
    fn regions_are_as_those_of_aws_and_each_is_there_once(
        #[case] region: &str,
        #[case] extra: &str,
        #[case] good: bool,
    ) {
        let mut settings = Settings::default();
        settings.aws.region = region.into();
        settings.aws.extra_regions.0 = extra.split(',').filter(|it| !it.is_empty()).map(Into::into).collect();
        let checked = check(&settings);
        assert_eq!(checked.is_ok(), good, "{checked:?}");
        assert!(good || checked.is_err_and(|text| text.contains("aws.")));
    }
}
