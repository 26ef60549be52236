//! Entry points for fuzzing: the real readers on bytes from anywhere. Each says whether the bytes
//! were accepted.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    WallReport, admit,
    frame::{Answer, read_request, receive},
};

/// Whether these bytes are a module that may run.
pub fn admission(bytes: &[u8]) -> bool {
    admit(bytes).is_ok()
}

/// Whether a child understands these bytes as a request.
pub fn request(mut bytes: &[u8]) -> bool {
    read_request(&mut bytes).is_ok()
}

/// Whether a parent understands these bytes as an answer.
pub fn answer(mut bytes: &[u8]) -> bool {
    // Reading from memory never waits, so one step is enough.
    let reading = pin!(receive(&mut bytes));
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(Answer::Ready { raised })) => WallReport::read(raised).is_some(),
        Poll::Ready(answer) => answer.is_ok(),
        Poll::Pending => false,
    }
}
