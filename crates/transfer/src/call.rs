//! A call of a service that failed: whose fault it is.

use std::{error::Error as StdError, fmt};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::Error;

/// Why a call failed, before it is known what was called for.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) kind: CallErrorKind,
    /// `ResourceNotFoundException` and so on; empty if no service answered.
    pub(crate) code: String,
    /// The service's own words.
    pub(crate) message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CallErrorKind {
    /// There are no credentials any more.
    NoCredentials,
    /// Nobody answered, or not to the end: whether the call had an effect is unknown.
    Network,
    /// Too much was asked for.
    Throttled,
    /// The service has a problem of its own.
    Server,
    /// What was asked for is not allowed, not there, or not right.
    Refused,
}

impl CallError {
    /// What the service answered.
    pub(crate) fn answered(status: u16, code: &str, message: &str) -> Self {
        let code = code.rsplit(['#', ':']).next().unwrap_or_default();
        let kind = if is_throttling(code) || status == 429 {
            CallErrorKind::Throttled
        } else if status >= 500 || status == 408 {
            CallErrorKind::Server
        } else {
            CallErrorKind::Refused
        };
        let code = if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() };
        Self { kind, code, message: message.to_owned(), source: None }
    }

    pub(crate) fn network(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            kind: CallErrorKind::Network,
            code: String::new(),
            message: String::new(),
            source: Some(source.into()),
        }
    }

    /// Sorts what the SDK says.
    pub(crate) fn of<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        if let Some(service) = error.as_service_error() {
            let code = service.code().unwrap_or_default();
            let message = service.message().unwrap_or_default();
            // Errors without a code are those of a proxy or of a server on fire.
            let status = if code.is_empty() || is_servers(code) { 500 } else { 400 };
            return Self::answered(status, code, message);
        }
        let mut failed = Self::network(error);
        if failed.mentions_credentials() {
            failed.kind = CallErrorKind::NoCredentials;
        }
        failed
    }

    fn mentions_credentials(&self) -> bool {
        let mut next = self.source.as_deref().map(|source| source as &(dyn StdError + 'static));
        while let Some(error) = next {
            if error.is::<aws_credential_types::provider::error::CredentialsError>() {
                return true;
            }
            next = error.source();
        }
        false
    }

    /// Whether the same call may succeed later.
    pub(crate) fn is_retryable(&self) -> bool {
        use CallErrorKind::{Network, Server, Throttled};
        matches!(self.kind, Network | Server | Throttled)
    }

    /// The error of the crate: `action` is the API's name for it, `BatchWriteItem`; `place` is
    /// what it was done to, `table users`.
    pub(crate) fn into_error(self, action: &str, place: impl Into<String>) -> Error {
        let (action, place) = (action.to_owned(), place.into());
        let Self { kind, code, message, source } = self;
        match kind {
            CallErrorKind::NoCredentials => {
                Error::NoCredentials { source: source.unwrap_or_else(|| code.into()) }
            }
            CallErrorKind::Network => Error::Unreachable {
                action,
                place,
                source: source.unwrap_or_else(|| message.into()),
            },
            CallErrorKind::Throttled => Error::Throttled { action, place, code },
            CallErrorKind::Server => {
                Error::Service { action, place, code, message, retryable: true }
            }
            CallErrorKind::Refused if is_denial(&code) => Error::Denied { action, place, message },
            CallErrorKind::Refused if is_of_credentials(&code) => {
                Error::BadCredentials { code, message }
            }
            CallErrorKind::Refused => {
                Error::Service { action, place, code, message, retryable: false }
            }
        }
    }
}

fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "SlowDown"
            | "ReplicatedWriteConflictException"
    )
}

fn is_servers(code: &str) -> bool {
    matches!(
        code,
        "InternalServerError"
            | "InternalServerErrorException"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestTimeout"
            | "InternalError"
    )
}

fn is_denial(code: &str) -> bool {
    matches!(code, "AccessDeniedException" | "AccessDenied" | "NotAuthorized")
}

fn is_of_credentials(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "InvalidAccessKeyId"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_who_can_act() {
        let of = |status, code| {
            CallError::answered(status, code, "words").into_error("Scan", "table users")
        };
        let throttled = of(400, "com.amazonaws.dynamodb.v20120810#ThrottlingException");
        assert!(matches!(throttled, Error::Throttled { .. }), "{throttled:?}");
        assert!(throttled.is_retryable());
        let down = of(503, "");
        assert_eq!(down.to_string(), "Scan on table users failed: HTTP 503: words");
        assert!(down.is_retryable());
        let denied = of(400, "com.amazon.coral.service#AccessDeniedException");
        assert_eq!(denied.to_string(), "not allowed to call Scan on table users");
        assert!(!denied.is_retryable());
        assert!(matches!(of(400, "ExpiredTokenException"), Error::BadCredentials { .. }));
        let refused = of(400, "com.amazonaws.dynamodb.v20120810#ValidationException");
        assert!(!refused.is_retryable());
    }
}
