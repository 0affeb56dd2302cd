//! The names of operations in logs and metrics, from a fixed set: callers cannot make new ones.

use crate::dialect::native;
use http::Method;

/// The dialect in logs and metrics.
const DIALECT: &str = "yandex";

/// Services by the part of their path, with the rpcs of each.
const SERVICES: [(&str, &[&str]); 2] = [
    (
        "/yandex.cloud.kms.v1.SymmetricKeyService/",
        &[
            "Create",
            "Get",
            "List",
            "ListVersions",
            "Update",
            "Delete",
            "SetPrimaryVersion",
            "ScheduleVersionDestruction",
            "CancelVersionDestruction",
            "Rotate",
            "ListOperations",
            "ListAccessBindings",
            "SetAccessBindings",
            "UpdateAccessBindings",
        ],
    ),
    ("/yandex.cloud.kms.v1.SymmetricCryptoService/", &["Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey"]),
];

/// Whole paths: rpcs whose own name says too little, and REST paths without an id.
const PATHS: [(&str, &str); 10] = [
    ("/yandex.cloud.operation.OperationService/Get", "GetOperation"),
    ("/yandex.cloud.operation.OperationService/Cancel", "CancelOperation"),
    ("/yandex.cloud.endpoint.ApiEndpointService/Get", "GetEndpoint"),
    ("/yandex.cloud.endpoint.ApiEndpointService/List", "ListEndpoints"),
    ("/yandex.cloud.iam.v1.IamTokenService/Create", "CreateIamToken"),
    ("/yandex.cloud.iam.v1.IamTokenService/CreateForServiceAccount", "CreateIamTokenForServiceAccount"),
    ("/yandex.cloud.iam.v1.IamTokenService/Revoke", "RevokeIamToken"),
    ("/iam/v1/tokens", "CreateIamToken"),
    ("/iam/v1/tokens:createForServiceAccount", "CreateIamTokenForServiceAccount"),
    ("/iam/v1/tokens:revoke", "RevokeIamToken"),
];

/// Verbs after the `:` of a REST path.
const VERBS: [(&str, &str); 11] = [
    ("encrypt", "Encrypt"),
    ("decrypt", "Decrypt"),
    ("reEncrypt", "ReEncrypt"),
    ("generateDataKey", "GenerateDataKey"),
    ("rotate", "Rotate"),
    ("setPrimaryVersion", "SetPrimaryVersion"),
    ("scheduleVersionDestruction", "ScheduleVersionDestruction"),
    ("cancelVersionDestruction", "CancelVersionDestruction"),
    ("listAccessBindings", "ListAccessBindings"),
    ("setAccessBindings", "SetAccessBindings"),
    ("updateAccessBindings", "UpdateAccessBindings"),
];

/// The dialect of a request and the operation that it asks for, if it is one of this dialect or of the native one, whose
/// routes are served beside.
#[must_use]
pub fn of_request(method: &Method, path: &str) -> Option<(&'static str, &'static str)> {
    match path.strip_prefix(native::PREFIX) {
        Some(below) => Some((native::names::DIALECT, native::names::operation(method, below)?)),
        None => Some((DIALECT, operation(method, path)?)),
    }
}

fn operation(method: &Method, path: &str) -> Option<&'static str> {
    let whole = PATHS.iter().find(|(whole, _)| *whole == path).map(|(_, operation)| *operation);
    whole
        .or_else(|| SERVICES.iter().find_map(|(service, rpcs)| rpc(path.strip_prefix(service)?, rpcs)))
        .or_else(|| rest(method, path))
}

fn rpc(name: &str, rpcs: &[&'static str]) -> Option<&'static str> {
    rpcs.iter().find(|rpc| **rpc == name).copied()
}

fn rest(method: &Method, path: &str) -> Option<&'static str> {
    let (root, below) = match path.strip_prefix('/')?.split_once('/')? {
        (first @ ("operations" | "endpoints"), id) => (first, id),
        (_, rest) => {
            (rest.split(['/', '?']).nth(1).filter(|part| *part == "keys")?, rest.splitn(3, '/').nth(2).unwrap_or(""))
        }
    };
    if let Some((_, verb)) = below.rsplit_once(':') {
        return VERBS.iter().find(|(name, _)| *name == verb).map(|(_, operation)| *operation);
    }
    match (root, method, below.split('/').nth(1)) {
        ("operations", ..) => Some("GetOperation"),
        ("endpoints", ..) => Some("GetEndpoint"),
        (_, &Method::POST, None) if below.is_empty() => Some("Create"),
        (_, &Method::GET, None) if below.is_empty() => Some("List"),
        (_, &Method::GET, None) => Some("Get"),
        (_, &Method::PATCH, None) => Some("Update"),
        (_, &Method::DELETE, None) => Some("Delete"),
        (_, &Method::GET, Some("versions")) => Some("ListVersions"),
        (_, &Method::GET, Some("operations")) => Some("ListOperations"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("POST", "/yandex.cloud.kms.v1.SymmetricKeyService/Create", Some("Create"))]
    #[case("POST", "/yandex.cloud.kms.v1.SymmetricCryptoService/ReEncrypt", Some("ReEncrypt"))]
    #[case("POST", "/yandex.cloud.operation.OperationService/Get", Some("GetOperation"))]
    #[case("POST", "/yandex.cloud.endpoint.ApiEndpointService/List", Some("ListEndpoints"))]
    #[case("POST", "/yandex.cloud.operation.OperationService/Cancel", Some("CancelOperation"))]
    #[case("POST", "/yandex.cloud.endpoint.ApiEndpointService/Get", Some("GetEndpoint"))]
    #[case("POST", "/yandex.cloud.iam.v1.IamTokenService/Create", Some("CreateIamToken"))]
    #[case("POST", "/yandex.cloud.iam.v1.IamTokenService/Revoke", Some("RevokeIamToken"))]
    #[case("POST", "/iam/v1/tokens", Some("CreateIamToken"))]
    #[case("POST", "/iam/v1/tokens:createForServiceAccount", Some("CreateIamTokenForServiceAccount"))]
    #[case("POST", "/iam/v1/tokens:nothing", None)]
    #[case("POST", "/yandex.cloud.operation.OperationService/", None)]
    #[case("POST", "/yandex.cloud.kms.v1.SymmetricKeyService/Nothing", None)]
    #[case("POST", "/kms/v1/keys", Some("Create"))]
    #[case("GET", "/kms/v1/keys", Some("List"))]
    #[case("GET", "/kms/v1/keys/x", Some("Get"))]
    #[case("PATCH", "/kms/v1/keys/x", Some("Update"))]
    #[case("DELETE", "/kms/v1/keys/x", Some("Delete"))]
    #[case("POST", "/kms/v1/keys/x:encrypt", Some("Encrypt"))]
    #[case("POST", "/kms/v1/keys/x:scheduleVersionDestruction", Some("ScheduleVersionDestruction"))]
    #[case("GET", "/kms/v1/keys/x/versions", Some("ListVersions"))]
    #[case("GET", "/kms/v1/keys/x/operations", Some("ListOperations"))]
    #[case("GET", "/operations/x", Some("GetOperation"))]
    #[case("GET", "/endpoints/kms", Some("GetEndpoint"))]
    #[case("GET", "/kms/v1/keys/x:nothing", None)]
    #[case("GET", "/nothing", None)]
    #[case("GET", "/", None)]
    fn requests_are_named(#[case] method: Method, #[case] path: &str, #[case] name: Option<&str>) {
        assert_eq!(of_request(&method, path), name.map(|name| ("yandex", name)));
    }

    #[rstest]
    #[case("GET", "/claviger/v1/whoami", Some(("claviger", "WhoAmI")))]
    #[case("POST", "/claviger/v1/keys/x:restore", Some(("claviger", "Restore")))]
    #[case("GET", "/claviger/v1/keys", None)]
    #[case("GET", "/claviger/v1", None)]
    fn requests_of_the_native_api_are_named_as_such(
        #[case] method: Method,
        #[case] path: &str,
        #[case] named: Option<(&str, &str)>,
    ) {
        assert_eq!(of_request(&method, path), named);
    }
}
