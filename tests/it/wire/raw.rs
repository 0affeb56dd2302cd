//! gRPC calls of any path with any bytes.

use crate::support::Grpc;
use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

/// Bytes as they are.
#[derive(Default)]
struct Verbatim;

impl Encoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

impl Codec for Verbatim {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

/// Calls `path` (`/package.Service/Method`) with these bytes as the message.
pub async fn call(
    client: &Grpc,
    authorization: &[&str],
    path: &str,
    message: impl Into<Bytes>,
) -> Result<Bytes, Status> {
    let mut grpc = tonic::client::Grpc::new(client.channel());
    grpc.ready().await.unwrap();
    let mut request = Request::new(message.into());
    for value in authorization {
        request.metadata_mut().append("authorization", value.parse().unwrap());
    }
    let path: PathAndQuery = path.parse().unwrap();
    grpc.unary(request, path, Verbatim).await.map(tonic::Response::into_inner)
}
