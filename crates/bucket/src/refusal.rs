//! What S3 refuses, sorted by who can do something about it, and told in words that say what.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use crate::again::is_passing;

/// What was asked: it stands in what a refusal says.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The bucket.
    pub(crate) name: String,
    pub(crate) region: String,
    /// Where the bucket really is, once an answer has told that it is elsewhere.
    pub(crate) home: Arc<OnceLock<String>>,
}

impl Asked {
    /// Sorts the store's failures by what the user can do; the store retried by itself already.
    pub(crate) fn failure(&self, error: object_store::Error) -> io::Error {
        use io::ErrorKind::{InvalidInput, NetworkDown, NotFound, Other, PermissionDenied};
        let (bucket, region) = (self.name.clone(), self.region.clone());
        let source = Said::of(&error);
        let status = |code: &str| says(&error, &format!("status code: {code}"));
        let code = element(&error, "Code").unwrap_or_default();
        let (kind, refusal) = match code.as_str() {
            "PermanentRedirect" | "AuthorizationHeaderMalformed" => {
                (InvalidInput, self.elsewhere(&error, source))
            }
            _ if says(&error, "Received redirect") || status("30") => {
                (InvalidInput, self.elsewhere(&error, source))
            }
            "NoSuchBucket" => (NotFound, Refusal::NoBucket { bucket, region, source }),
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "NotSignedUp" => {
                (PermissionDenied, Refusal::Credentials { source })
            }
            "ExpiredToken" => (PermissionDenied, Refusal::Expired { source }),
            _ if status("403") || status("401") => {
                (PermissionDenied, Refusal::Denied { bucket, source })
            }
            _ => {
                let kind = match error {
                    object_store::Error::NotFound { .. } => NotFound,
                    object_store::Error::Unauthenticated { .. } => PermissionDenied,
                    _ if is_passing(&error) => NetworkDown,
                    _ => Other,
                };
                return io::Error::new(kind, source);
            }
        };
        io::Error::new(kind, refusal)
    }

    fn elsewhere(&self, error: &object_store::Error, source: Said) -> Refusal {
        let (bucket, region) = (self.name.clone(), self.region.clone());
        match self.home.get().cloned().or_else(|| element(error, "Region")) {
            Some(home) => Refusal::Elsewhere { bucket, home, region, source },
            None => Refusal::Somewhere { bucket, region, source },
        }
    }
}

/// What S3 said itself: its code and its words, if it gave any.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Said {
    fn of(error: &object_store::Error) -> Self {
        let told = |name| element(error, name);
        Self(match (told("Code"), told("Message")) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code,
            _ => whole(error),
        })
    }
}

/// An error with those causes that it does not name itself; the store's errors name most of theirs.
fn whole(error: &object_store::Error) -> String {
    let first = std::error::Error::source(error);
    let causes = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| match text.contains(&cause) {
        true => text,
        false => format!("{text}: {cause}"),
    })
}

/// What S3 refused, in words that say what to do.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(
        "the bucket {bucket} is in the region {home}, but {region} was asked: set the region to \
         {home}"
    )]
    Elsewhere { bucket: String, home: String, region: String, source: Said },
    #[error(
        "the bucket {bucket} is not in the region {region}: find out where it is (aws s3api \
         get-bucket-location) and set that region"
    )]
    Somewhere { bucket: String, region: String, source: Said },
    #[error("there is no bucket {bucket}: correct the name, or make it in the region {region}")]
    NoBucket { bucket: String, region: String, source: Said },
    #[error("S3 does not know these credentials: check the profile and the keys")]
    Credentials { source: Said },
    #[error("the credentials have expired: renew them, then resume")]
    Expired { source: Said },
    #[error(
        "access denied: the role or user needs s3:ListBucket on {bucket}, and s3:GetObject on \
         {bucket}/*, to write there also s3:PutObject, s3:DeleteObject and \
         s3:AbortMultipartUpload; an encrypted bucket also needs kms:Decrypt, to write \
         kms:GenerateDataKey, on its key"
    )]
    Denied { bucket: String, source: Said },
}

/// `…<Region>eu-west-1</Region>…`, in the answer that an error carries.
fn element(error: &object_store::Error, name: &str) -> Option<String> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source()).find_map(
        |error| {
            let text = error.to_string();
            let (_, rest) = text.split_once(&begin)?;
            rest.split_once(&end).map(|(text, _)| text.to_owned())
        },
    )
}

pub(crate) fn says(error: &(dyn std::error::Error + 'static), word: &str) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.to_string().contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_sorted_by_what_to_do() {
        let name = "b".to_owned();
        let asked = Asked { name, region: "eu-west-1".to_owned(), home: Arc::default() };
        let told = |status: u16, body: &str| {
            let source = format!("Server returned non-2xx status code: {status} Words: {body}");
            let error = object_store::Error::Generic { store: "S3", source: source.into() };
            let error = asked.failure(error);
            (error.kind(), error.to_string())
        };
        let body = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        let malformed =
            body("AuthorizationHeaderMalformed").replace("</E", "<Region>x-1</Region></E");
        let (kind, text) = told(400, &malformed);
        assert_eq!(kind, io::ErrorKind::InvalidInput);
        assert!(text.starts_with("the bucket b is in the region x-1, but eu-west-1 was asked"));
        let (_, text) = told(301, &body("PermanentRedirect"));
        assert!(
            text.starts_with("the bucket b is not in the region eu-west-1: find out"),
            "{text}"
        );
        for (status, code, kind, begin) in [
            (404, "NoSuchBucket", io::ErrorKind::NotFound, "there is no bucket b: correct"),
            (403, "InvalidAccessKeyId", io::ErrorKind::PermissionDenied, "S3 does not know"),
            (400, "ExpiredToken", io::ErrorKind::PermissionDenied, "the credentials have expired"),
            (403, "AccessDenied", io::ErrorKind::PermissionDenied, "access denied: the role"),
            (503, "SlowDown", io::ErrorKind::NetworkDown, "SlowDown: m"),
            (400, "EntityTooLarge", io::ErrorKind::Other, "EntityTooLarge: m"),
        ] {
            let (found, text) = told(status, &body(code));
            assert_eq!(found, kind, "{code}");
            assert!(text.starts_with(begin), "{code}: {text}");
        }
    }
}
