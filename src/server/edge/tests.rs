use super::*;
use crate::server::ambient::SystemIds;
use axum::routing::{get, post};
use tower::ServiceExt;

fn router() -> Router {
    let routes = Router::new()
        .route("/ok", get(|axum::Extension(id): axum::Extension<RequestId>| async { id.0 }))
        .route("/panic", post(panic_here))
        .route("/slow", post(std::future::pending::<()>));
    served(routes)
}

fn served(routes: Router) -> Router {
    let ids = Arc::new(SystemIds::new().unwrap());
    around(routes, Edge { ids, request_timeout: Duration::from_millis(200) })
}

async fn panic_here() {
    panic!("SECRET");
}

async fn send(request: http::request::Builder, body: impl Into<Body>) -> (http::response::Parts, String) {
    send_to(router(), request, body).await
}

async fn send_to(
    router: Router,
    request: http::request::Builder,
    body: impl Into<Body>,
) -> (http::response::Parts, String) {
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (head, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_told_to_the_handler() {
    let (head, body) = send(Request::get("/ok").header("x-request-id", "abc-1.2_3"), "").await;
    assert_eq!(head.headers["x-request-id"], "abc-1.2_3");
    assert_eq!(body, "abc-1.2_3");
}

#[tokio::test]
async fn any_other_request_id_is_replaced() {
    let long = "a".repeat(65);
    for bad in ["", "a b", "a\"b", "\u{e4}", long.as_str()] {
        let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
        let (head, body) = send(Request::get("/ok").header("x-request-id", value), "").await;
        assert!(uuid::Uuid::try_parse(&body).is_ok(), "{bad:?} became {body:?}");
        assert_eq!(head.headers["x-request-id"], body);
    }
}

#[tokio::test]
async fn an_unknown_path_has_a_request_id_too() {
    let (head, _) = send(Request::get("/nothing"), "").await;
    assert!(head.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_in_the_form_of_the_request_without_its_text() {
    let (head, body) = send(Request::post("/panic").header("x-request-id", "r1"), "").await;
    assert_eq!(head.status, 500);
    assert!(!body.contains("SECRET"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((body["code"].as_i64(), body["details"][0]["requestId"].as_str()), (Some(13), Some("r1")));
    let (head, _) = send(Request::post("/panic").header("content-type", "application/grpc"), "").await;
    assert_eq!((head.status.as_u16(), head.headers["grpc-status"].as_bytes()), (200, b"13".as_slice()));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended() {
    let (head, body) = send(Request::post("/slow"), "").await;
    assert_eq!(head.status, 504, "{body}");
}

/// An answer of the AWS dialect's form: its id, which is a UUID and the same in both headers, and its error.
fn aws_error(head: &http::response::Parts, body: &str) -> (String, serde_json::Value) {
    let id = head.headers["x-amzn-requestid"].to_str().unwrap().to_owned();
    assert!(uuid::Uuid::try_parse(&id).is_ok_and(|uuid| uuid.hyphenated().to_string() == id), "{id}");
    assert_eq!(head.headers["x-request-id"], id);
    assert_eq!(head.headers["content-type"], "application/x-amz-json-1.1");
    (id, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_panic_and_a_slow_request_are_answered_in_the_form_of_aws() {
    let panicking = || served(Router::new().route("/", post(panic_here)));
    let (head, body) = send_to(panicking(), Request::post("/"), "").await;
    assert_eq!(
        (head.status.as_u16(), aws_error(&head, &body).1["__type"].as_str()),
        (500, Some("KMSInternalException"))
    );
    assert!(!body.contains("SECRET"));
    let slow = served(Router::new().route("/", post(std::future::pending::<()>)));
    let (head, body) = send_to(slow, Request::post("/"), "").await;
    let error = aws_error(&head, &body).1;
    assert_eq!((head.status.as_u16(), error["__type"].as_str()), (500, Some("DependencyTimeoutException")));
    // A gRPC request is answered as one, wherever it goes.
    let (head, _) = send_to(panicking(), Request::post("/").header("content-type", "application/grpc"), "").await;
    assert!(head.headers.contains_key("grpc-status") && !head.headers.contains_key("x-amzn-requestid"));
}

#[tokio::test]
async fn clients_of_aws_get_a_uuid_whatever_they_ask_for() {
    let echo =
        || served(Router::new().route("/", post(|axum::Extension(id): axum::Extension<RequestId>| async { id.0 })));
    let wanted = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
    let (head, body) = send_to(echo(), Request::post("/").header("x-request-id", wanted), "").await;
    assert_eq!((head.headers["x-amzn-requestid"].as_bytes(), body.as_str()), (wanted.as_bytes(), wanted));
    let other_forms = ["abc", "0b7c1b6e5a944c1e9a530d9d7d4b2f11", "0B7C1B6E-5A94-4C1E-9A53-0D9D7D4B2F11"];
    for other in other_forms {
        let (head, body) = send_to(echo(), Request::post("/").header("x-request-id", other), "").await;
        assert_ne!(body, other);
        assert!(uuid::Uuid::try_parse(&body).is_ok_and(|uuid| uuid.hyphenated().to_string() == body));
        assert_eq!(head.headers["x-amzn-requestid"], body);
    }
}

#[tokio::test]
async fn what_is_too_large_is_answered_in_the_form_of_aws_and_the_rest_is_taken() {
    let refuse = async |_: Request| AwsError::new(AwsCode::RequestEntityTooLarge, "too large");
    let router = served(Router::new().route("/", post(refuse)));
    let (head, body) = send_to(router, Request::post("/"), vec![b'x'; 300 * 1024]).await;
    let error = aws_error(&head, &body).1;
    assert_eq!((head.status.as_u16(), error["__type"].as_str()), (413, Some("RequestEntityTooLargeException")));
}

#[tokio::test]
async fn other_answers_have_no_id_for_clients_of_aws() {
    for request in [Request::get("/ok"), Request::get("/"), Request::post("/nothing")] {
        let (head, _) = send(request, "").await;
        assert!(!head.headers.contains_key("x-amzn-requestid"));
    }
}
