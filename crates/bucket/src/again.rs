//! What failed for reasons that pass is tried again.

use std::{future::Future, time::Duration};

use crate::refusal::says;

/// The store repeats a request by itself for some seconds, always with the same signature. This is
/// how long we wait before we let it begin anew, with credentials that may be newer: a bucket may be
/// out of reach for about four minutes before the run must be resumed.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(120),
];

/// Tries again what failed for reasons that pass.
pub(crate) async fn again<T, F: Future<Output = object_store::Result<T>>>(
    attempt: impl Fn() -> F,
) -> object_store::Result<T> {
    for pause in PAUSES {
        match attempt().await {
            Err(error) if is_passing(&error) => tokio::time::sleep(pause).await,
            result => return result,
        }
    }
    attempt().await
}

/// Whether the same request may succeed later: nobody answered, the server failed, or the signature
/// was too old.
pub(crate) fn is_passing(error: &object_store::Error) -> bool {
    let object_store::Error::Generic { source, .. } = error else { return false };
    let source: &(dyn std::error::Error + 'static) = source.as_ref();
    let answered = says(source, "non-2xx") || says(source, "Received redirect");
    let late = ["<Code>ExpiredToken", "<Code>RequestTimeout", "code: 5", "code: 429"];
    !answered || late.iter().any(|word| says(source, word))
}
