//! The header `authorization: Bearer <token>` (RFC 6750, 2.1).
//!
//! In: a header's bytes. Out: the token in it. Called by [`super::credentials`].

/// The longest token that is looked at, in bytes; ours are far shorter.
const MAX_TOKEN_BYTES: usize = 4096;

/// The token in the value of an `authorization` header, if it is a bearer token.
#[must_use]
pub fn token_in(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim_matches(' ');
    let well_formed = (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Bearer abc", Some("abc"))]
    #[case("bearer abc", Some("abc"))]
    #[case("Bearer   abc ", Some("abc"))]
    #[case("", None)]
    #[case("Bearer", None)]
    #[case("Bearer ", None)]
    #[case("Basic abc", None)]
    #[case("Api-Key abc", None)]
    #[case("Bearer abc def", None)]
    #[case("Bearer abc\tdef", None)]
    #[case("Bearer \u{e4}bc", None)]
    #[case(" Bearer abc", None)]
    fn only_a_bearer_token_is_read(#[case] value: &str, #[case] token: Option<&str>) {
        assert_eq!(token_in(value.as_bytes()), token);
    }

    #[test]
    fn an_overlong_token_is_not_looked_at() {
        let longest = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES));
        assert!(token_in(longest.as_bytes()).is_some());
        assert_eq!(token_in(format!("{longest}a").as_bytes()), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_no_token() {
        assert_eq!(token_in(b"Bearer \xff"), None);
    }
}
