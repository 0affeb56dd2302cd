use super::*;
use crate::service::error::ServiceError;
use axum::body::Body;
use http::HeaderValue;
use rstest::rstest;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[rstest]
#[case(&[("x-amz-target", "TrentService.Encrypt")], Some(Operation::Encrypt))]
#[case(&[("x-amz-target", "TrentService.Sign")], Some(Operation::Sign))]
#[case(&[], None)]
#[case(&[("x-amz-target", "TrentService.encrypt")], None)]
#[case(&[("x-amz-target", "TrentService.")], None)]
#[case(&[("x-amz-target", "Encrypt")], None)]
#[case(&[("x-amz-target", "Other.Encrypt")], None)]
#[case(&[("x-amz-target", "TrentService.TrentService.Encrypt")], None)]
#[case(&[("x-amz-target", "TrentService.Encrypt"), ("x-amz-target", "TrentService.Encrypt")], None)]
fn the_operation_is_named_once(#[case] given: &[(&'static str, &'static str)], #[case] operation: Option<Operation>) {
    assert_eq!(target(&headers(given)), operation);
}

#[rstest]
#[case(None, true)]
#[case(Some("application/x-amz-json-1.1"), true)]
#[case(Some("Application/JSON; charset=utf-8"), true)]
#[case(Some("application/json"), true)]
#[case(Some("application/x-amz-json-1.0"), false)]
#[case(Some("application/x-www-form-urlencoded"), false)]
#[case(Some("text/plain"), false)]
#[case(Some(""), false)]
fn the_body_is_json_by_its_type(#[case] given: Option<&'static str>, #[case] taken: bool) {
    let headers = given.map_or_else(HeaderMap::new, |kind| headers(&[("content-type", kind)]));
    let outcome = check_content_type(&headers);
    assert_eq!(outcome.as_ref().map_err(|error| error.code).err(), (!taken).then_some(Code::UnknownOperation));
}

#[rstest]
#[case(Request::post("/"), true)]
#[case(Request::post("http://localhost/"), true)]
#[case(Request::post("/?Action=Encrypt"), true)]
#[case(Request::get("/"), false)]
#[case(Request::put("/"), false)]
#[case(Request::post("/x"), false)]
#[case(Request::post("//"), false)]
#[case(Request::post("/").header("content-type", "application/grpc"), false)]
fn only_a_post_of_the_root_is_of_this_dialect(#[case] request: http::request::Builder, #[case] ours: bool) {
    assert_eq!(is_aws(&request.body(Body::empty()).unwrap()), ours);
}

#[test]
fn refused_bodies_have_names_and_statuses_of_the_protocol() {
    let of = |error| {
        let error = unread(error);
        (error.code, error.code.status().as_u16())
    };
    let throttled = ServiceError::Throttled { text: "", retry_after_s: 1 };
    assert_eq!(of(BodyError::TooLarge), (Code::RequestEntityTooLarge, 413));
    assert_eq!(of(BodyError::Incomplete), (Code::Serialization, 400));
    assert_eq!(of(BodyError::TooSlow), (Code::RequestTimeout, 408));
    assert_eq!(of(BodyError::NoRoom(throttled)), (Code::Throttling, 400));
}

#[test]
fn a_target_that_is_there_is_not_said_to_be_missing() {
    let texts =
        [headers(&[]), headers(&[("x-amz-target", "TrentService.Foo")])].map(|given| unknown_operation(&given).message);
    assert!(texts[0].contains("is missing") && texts[1].contains("names no operation"), "{texts:?}");
}
