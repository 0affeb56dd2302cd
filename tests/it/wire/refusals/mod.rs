//! Every limit and every refusal of the specification, over both protocols: the exact code, the HTTP status that
//! belongs to it, and a server that is well afterwards.

mod callers;
mod ciphertexts;
mod garbage;
mod idempotency;
mod ids;
mod limits;
mod sockets;
mod states;

use super::{Api, Rpc};
use crate::support::{Dev, Home};
use tonic::Code;

/// A server and the ways to it.
pub struct Suite {
    pub dev: Dev,
    pub apis: Vec<Api>,
    pub home: Home,
}

/// Makes one field of a request what a case is about.
pub type Edit<M> = fn(&mut M);

impl Suite {
    pub async fn start() -> Self {
        Self::start_in(Home::new()).await
    }

    pub async fn start_in(home: Home) -> Self {
        let dev = home.start().await;
        Self { apis: Api::both(&dev).await, dev, home }
    }

    pub fn folder(&self) -> &str {
        self.dev.folder()
    }

    /// The one that speaks gRPC.
    pub fn grpc(&self) -> &Api {
        &self.apis[0]
    }

    /// Expects a refusal with this code over both protocols.
    pub async fn refused<M: Rpc>(&self, case: &str, code: Code, message: &M) {
        for api in &self.apis {
            let refusal = api.refused(case, message.clone()).await;
            assert_eq!(refusal.code, code, "{case}: {} over {}: {refusal:?}", M::full_name(), api.name);
            assert!(!refusal.text.is_empty(), "{case}: a refusal without a text");
        }
        self.is_up(case).await;
    }

    /// Expects a good answer over both protocols.
    pub async fn accepted<M: Rpc>(&self, case: &str, message: &M) {
        for api in &self.apis {
            if let Err(refusal) = api.call(message.clone()).await {
                panic!("{case}: {} over {}: {refusal:?}", M::full_name(), api.name);
            }
        }
    }

    /// Sends a request, changed case by case.
    pub async fn each<M: Rpc>(&self, base: &M, accepted: &[(&str, Edit<M>)], refused: &[(&str, Edit<M>)]) {
        for (case, edit) in accepted {
            let mut message = base.clone();
            edit(&mut message);
            self.accepted(case, &message).await;
        }
        for (case, edit) in refused {
            let mut message = base.clone();
            edit(&mut message);
            self.refused(case, Code::InvalidArgument, &message).await;
        }
    }

    pub async fn is_up(&self, case: &str) {
        let ready = self.dev.rest().get("/readyz").await;
        assert_eq!(ready.status, 200, "after {case}: {}\n{}", ready.text, self.home.log());
    }
}
