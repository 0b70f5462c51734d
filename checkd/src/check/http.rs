//! `HTTP_GET`: one request, one answer read to its end, a verdict. Bytes in, bytes out.
//!
//! COMPAT: keepalived 2.2.7, seen on the wire (`tests.rs` holds the answers and its verdicts):
//! * the answer ends when the server closes; a server that sends its whole `Content-Length` and keeps the connection open fails
//!   with a timeout;
//! * a body shorter or longer than `Content-Length` is only noted; the digest covers what lies within `Content-Length`;
//! * `Transfer-Encoding: chunked` is not decoded, redirects and 1xx answers are answers like any other;
//! * a header whose lines end in a bare LF never ends.
//!
//! Bounds: [`HEAD_LIMIT`] for the header, which is the only thing that is stored; [`BODY_LIMIT`] for the body, which is hashed
//! as it comes.

mod request;
mod response;

pub use request::request;
pub use response::{Answer, BODY_LIMIT, HEAD_LIMIT, Lengths, Progress, Response};

#[cfg(test)]
mod tests;
