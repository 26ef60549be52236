//! Frames of the two protocols: one message each way, ended by closing the stream. Sizes are
//! bounded while reading; memory grows only with what has arrived.

use std::{io, sync::Arc};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{StreamProtocol, request_response};
use omni_types::{
    Cid, Rejection, WorkRequest, WorkResponse, canonical,
    wire::{MAX_BLOB_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;

/// Bytes read at once.
const CHUNK_BYTES: usize = 8 << 10;
/// A request up to this size is read without asking; larger ones take turns.
const SMALL_REQUEST_BYTES: usize = 16 << 10;
/// Larger requests read at the same time, over all connections.
const LARGE_REQUESTS: usize = 64;
/// How much of an oversized request is read and thrown away, so that the sender comes to read the
/// refusal.
const DRAIN_BYTES: usize = 8 << 20;
/// Bytes of a content id.
const CID_BYTES: usize = 36;
/// First byte of a blob answer: not here.
const ABSENT: u8 = 0;
/// First byte of a blob answer: the bytes follow.
const PRESENT: u8 = 1;

/// A work message on its way out or in.
#[derive(Debug)]
pub(crate) enum Message<T> {
    /// Canonical bytes, within the limit.
    Encoded(Vec<u8>),
    /// What arrived, or why it is none of ours.
    Decoded(Result<T, Rejection>),
}

impl<T: Serialize> Message<T> {
    /// Canonical bytes of `value`, at most `limit`.
    pub(crate) fn encode(value: &T, limit: usize) -> Result<Self, Rejection> {
        let bytes = canonical::to_bytes(value)?;
        if bytes.len() > limit {
            return Err(Rejection::TooLarge);
        }
        Ok(Self::Encoded(bytes))
    }
}

/// A blob with its content id: as computed when it came in, as asked for when it goes out.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) cid: Cid,
    pub(crate) bytes: Vec<u8>,
}

/// A rejection inside an input/output error.
pub(crate) fn rejection_of(error: &io::Error) -> Option<Rejection> {
    error.get_ref()?.downcast_ref().copied()
}

/// Reads to the end of the stream, at most `limit` bytes.
async fn read_bounded<T>(
    io: &mut T,
    limit: usize,
    turns: Option<&Semaphore>,
) -> io::Result<Result<Vec<u8>, Rejection>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut bytes = Vec::new();
    let mut chunk = [0; CHUNK_BYTES];
    let mut turn = None;
    loop {
        let count = io.read(&mut chunk).await?;
        if count == 0 {
            return Ok(Ok(bytes));
        }
        let total = bytes.len().saturating_add(count);
        if total > limit {
            return Ok(Err(Rejection::TooLarge));
        }
        if let (None, Some(turns), true) = (&turn, turns, total > SMALL_REQUEST_BYTES) {
            turn = Some(turns.acquire().await.map_err(io::Error::other)?);
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

/// Throws away what is left in the stream, at most [`DRAIN_BYTES`].
async fn drain<T>(io: &mut T) -> io::Result<()>
where
    T: AsyncRead + Unpin + Send,
{
    let mut chunk = [0; CHUNK_BYTES];
    let mut drained = 0;
    while drained <= DRAIN_BYTES {
        let count = io.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        drained += count;
    }
    Err(io::Error::other(Rejection::TooLarge))
}

async fn read_message<T, M>(
    io: &mut T,
    limit: usize,
    turns: Option<&Semaphore>,
) -> io::Result<Message<M>>
where
    T: AsyncRead + Unpin + Send,
    M: Serialize + DeserializeOwned,
{
    let bytes = read_bounded(io, limit, turns).await?;
    if bytes.as_ref().is_ok_and(Vec::is_empty) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Message::Decoded(
        bytes.and_then(|bytes| canonical::from_bytes(&bytes, limit)),
    ))
}

async fn write_message<T, M>(io: &mut T, message: Message<M>) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    match message {
        Message::Encoded(bytes) => io.write_all(&bytes).await,
        Message::Decoded(_) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Work messages in canonical bytes.
#[derive(Clone, Debug)]
pub(crate) struct WorkCodec {
    turns: Arc<Semaphore>,
}

impl WorkCodec {
    pub(crate) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(LARGE_REQUESTS)),
        }
    }
}

impl request_response::Codec for WorkCodec {
    type Protocol = StreamProtocol;
    type Request = Message<WorkRequest>;
    type Response = Message<WorkResponse>;

    async fn read_request<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let message = read_message(io, MAX_REQUEST_BYTES, Some(&self.turns)).await?;
        if matches!(message, Message::Decoded(Err(Rejection::TooLarge))) {
            drain(io).await?;
        }
        Ok(message)
    }

    async fn read_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
    ) -> io::Result<Self::Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_message(io, MAX_RESPONSE_BYTES, None).await
    }

    async fn write_request<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        request: Self::Request,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_message(io, request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        response: Self::Response,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_message(io, response).await
    }
}

/// Blobs: a content id one way, a tag and the raw bytes the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobCodec;

impl request_response::Codec for BlobCodec {
    type Protocol = StreamProtocol;
    type Request = Cid;
    type Response = Option<Blob>;

    async fn read_request<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_bounded(io, CID_BYTES, None)
            .await?
            .and_then(|bytes| Cid::from_bytes(&bytes))
            .map_err(io::Error::other)
    }

    async fn read_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
    ) -> io::Result<Self::Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut tag = [0];
        io.read_exact(&mut tag).await?;
        let bytes = read_bounded(io, MAX_BLOB_BYTES, None)
            .await?
            .map_err(io::Error::other)?;
        match tag {
            [ABSENT] if bytes.is_empty() => Ok(None),
            [PRESENT] => Ok(Some(Blob {
                cid: Cid::of(&bytes),
                bytes,
            })),
            _ => Err(io::Error::other(Rejection::Malformed)),
        }
    }

    async fn write_request<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        request: Self::Request,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request.to_bytes()).await
    }

    async fn write_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        response: Self::Response,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match response {
            None => io.write_all(&[ABSENT]).await,
            Some(blob) => {
                io.write_all(&[PRESENT]).await?;
                io.write_all(&blob.bytes).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use futures::{executor::block_on, io::Cursor};
    use libp2p::request_response::Codec as _;

    use super::*;

    const PROTOCOL: StreamProtocol = StreamProtocol::new("/test");

    fn work_request(bytes: Vec<u8>) -> io::Result<Message<WorkRequest>> {
        block_on(WorkCodec::new().read_request(&PROTOCOL, &mut Cursor::new(bytes)))
    }

    #[test]
    fn a_request_reads_back_and_anything_else_is_a_named_rejection() {
        let bytes = canonical::to_bytes(&WorkRequest::Campaigns).unwrap();
        assert!(matches!(
            work_request(bytes),
            Ok(Message::Decoded(Ok(WorkRequest::Campaigns)))
        ));
        assert!(matches!(
            work_request(vec![0xff; 10]),
            Ok(Message::Decoded(Err(Rejection::Malformed)))
        ));
        assert!(matches!(
            work_request(vec![0; MAX_REQUEST_BYTES + 1]),
            Ok(Message::Decoded(Err(Rejection::TooLarge)))
        ));
        assert_eq!(
            rejection_of(&work_request(vec![0; MAX_REQUEST_BYTES + 2 * DRAIN_BYTES]).unwrap_err()),
            Some(Rejection::TooLarge)
        );
        assert_eq!(
            work_request(Vec::new()).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }

    #[test]
    fn a_blob_answer_is_absent_present_or_malformed() {
        let read =
            |bytes: Vec<u8>| block_on(BlobCodec.read_response(&PROTOCOL, &mut Cursor::new(bytes)));
        assert!(matches!(read(vec![ABSENT]), Ok(None)));
        let blob = read(vec![PRESENT, 1, 2]).unwrap().unwrap();
        assert_eq!((blob.cid, blob.bytes), (Cid::of(&[1, 2]), vec![1, 2]));
        for bytes in [vec![ABSENT, 1], vec![2]] {
            assert_eq!(
                rejection_of(&read(bytes).unwrap_err()),
                Some(Rejection::Malformed)
            );
        }
        assert_eq!(
            rejection_of(&read(vec![PRESENT; MAX_BLOB_BYTES + 2]).unwrap_err()),
            Some(Rejection::TooLarge)
        );
        assert!(read(Vec::new()).is_err());
    }

    #[test]
    fn a_blob_request_is_one_content_id() {
        let read =
            |bytes: Vec<u8>| block_on(BlobCodec.read_request(&PROTOCOL, &mut Cursor::new(bytes)));
        let cid = Cid::of(b"blob");
        assert_eq!(read(cid.to_bytes()).unwrap(), cid);
        assert!(read(vec![1; CID_BYTES]).is_err());
        assert!(read(vec![1; CID_BYTES + 1]).is_err());
        assert!(read(Vec::new()).is_err());
    }
}
