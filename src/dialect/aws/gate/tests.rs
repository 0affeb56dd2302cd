use super::*;
use bytes::Bytes as Chunk;
use futures_util::stream;
use http::HeaderValue;
use rstest::rstest;
use std::convert::Infallible;
use std::io;

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

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_and_a_larger_one_refused() {
    let of = |length: usize| Body::from(vec![b'x'; length]);
    assert_eq!(whole(of(MAX_BODY_BYTES)).await.unwrap().len(), MAX_BODY_BYTES);
    let error = whole(of(MAX_BODY_BYTES + 1)).await.unwrap_err();
    assert_eq!((error.code, error.code.status().as_u16()), (Code::RequestEntityTooLarge, 413));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_up_to_the_limit_only() {
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Chunk::from_static(&[b'x'; 1000])));
    assert_eq!(whole(Body::from_stream(endless)).await.unwrap_err().code, Code::RequestEntityTooLarge);
    let parts = stream::iter((0..10).map(|_| Ok::<_, Infallible>(Chunk::from_static(b"part"))));
    assert_eq!(whole(Body::from_stream(parts)).await.unwrap().len(), 40);
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let broken = stream::iter([Ok(Chunk::from_static(b"{")), Err(io::Error::other("SECRET"))]);
    let error = whole(Body::from_stream(broken)).await.unwrap_err();
    assert!(error.code == Code::Serialization && !error.message.contains("SECRET"), "{error:?}");
}
