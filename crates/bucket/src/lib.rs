#![doc = include_str!("../README.md")]

mod access;
mod again;
mod bucket;
mod error;
mod refusal;
mod upload;
mod watched;

pub use access::{Access, Credentials, Keys};
pub use bucket::{Bucket, split};
pub use error::Error;
pub use upload::Upload;
