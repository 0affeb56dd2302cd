use super::super::shapes::LIST_KEYS;
use super::*;
use rstest::rstest;

const HERE: [u8; 16] = [7; 16];
const CURSOR: Cursor = Cursor { at: -1_700_000_000_000_000, id: [9; 16] };
const LISTS: [List; 5] = [List::Keys, List::Aliases, List::Tags, List::Rotations, List::Policies];

const fn listed(list: List) -> Listed<'static> {
    Listed { list, resource: &HERE, region: "us-east-1" }
}

fn asked(body: &str) -> Input {
    Input::read(LIST_KEYS, body.as_bytes()).unwrap()
}

fn with_marker(marker: &str) -> Input {
    asked(&serde_json::json!({ "Marker": marker }).to_string())
}

#[rstest]
#[case(List::Keys, "{}", 100)]
#[case(List::Aliases, "{}", 50)]
#[case(List::Tags, "{}", 50)]
#[case(List::Rotations, "{}", 100)]
#[case(List::Policies, "{}", 100)]
#[case(List::Keys, r#"{"Limit":1}"#, 1)]
#[case(List::Keys, r#"{"Limit":1000}"#, 1000)]
#[case(List::Aliases, r#"{"Limit":101}"#, 100)]
#[case(List::Tags, r#"{"Limit":1000}"#, 50)]
fn a_page_has_the_size_of_its_list(#[case] list: List, #[case] body: &str, #[case] limit: u32) {
    assert_eq!(wanted(&asked(body), listed(list)), Ok(Wanted { after: None, limit }));
}

#[test]
fn a_limit_outside_of_the_models_range_is_refused() {
    for limit in [0, -1, 1001, i64::MAX] {
        let error = Input::read(LIST_KEYS, format!(r#"{{"Limit":{limit}}}"#).as_bytes()).err().unwrap();
        assert_eq!(error.code, Code::Validation);
    }
}

#[test]
fn a_marker_leads_to_the_next_page_of_its_list_only() {
    for list in LISTS {
        let marker = next(listed(list), Some(CURSOR)).unwrap();
        let input = with_marker(&marker);
        assert_eq!(wanted(&input, listed(list)).unwrap().after, Some(CURSOR));
        for other in LISTS.into_iter().filter(|other| *other != list) {
            assert_eq!(wanted(&input, listed(other)).unwrap_err().code, Code::InvalidMarker);
        }
        let elsewhere = Listed { region: "us-east-2", ..listed(list) };
        assert_eq!(wanted(&input, elsewhere).unwrap_err().code, Code::InvalidMarker);
        let of_another = Listed { resource: &[8; 16], ..listed(list) };
        assert_eq!(wanted(&input, of_another).unwrap_err().code, Code::InvalidMarker);
    }
    assert_eq!(next(listed(List::Keys), None), None);
}

#[test]
fn a_page_token_of_the_native_dialect_is_no_marker() {
    use crate::dialect::yandex::convert;
    let token = convert::next_token(convert::List::Keys, &HERE, Some(CURSOR));
    assert_eq!(wanted(&with_marker(&token), listed(List::Keys)).unwrap_err().code, Code::InvalidMarker);
}

#[test]
fn every_changed_character_makes_a_marker_bad() {
    let marker = next(listed(List::Keys), Some(CURSOR)).unwrap();
    for at in 0..marker.len() {
        let mut changed = marker.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(wanted(&with_marker(&changed), listed(List::Keys)).is_err(), "{changed}");
    }
}

#[rstest]
#[case("x")]
#[case("!!!!")]
#[case("\u{e4}")]
#[case(&"A".repeat(1024))]
fn garbage_is_no_marker(#[case] marker: &str) {
    let error = wanted(&with_marker(marker), listed(List::Keys)).unwrap_err();
    assert_eq!(error.code, Code::InvalidMarker);
}
