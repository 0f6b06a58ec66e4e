//! The log of an import: which items of which file DynamoDB refused, and why.
//!
//! One call of CloudWatch Logs is all that is needed of it, and its protocol is DynamoDB's.

use serde_json::{Value, json};

use crate::{
    Aws,
    call::CallError,
    import_table::ItemError,
    wire::{Service, Wire},
};

const LOGS: Service = Service {
    prefix: "Logs_20140328",
    signed_as: "logs",
    content_type: "application/x-amz-json-1.1",
};

/// Pages of a log may be empty, and yet not the last.
const MAX_PAGES: usize = 1000;

/// CloudWatch Logs of the region.
#[derive(Debug)]
pub(crate) struct Logs(Wire);

impl Logs {
    pub(crate) fn new(aws: &Aws) -> Self {
        let region = aws.region();
        let suffix = match region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            Some("eusc") => "amazonaws.eu",
            _ => "amazonaws.com",
        };
        let options = aws.options();
        let endpoint = options.logs_endpoint_url.as_deref().or(aws.config().endpoint_url());
        let endpoint = endpoint.map(str::to_owned);
        let endpoint = endpoint.unwrap_or_else(|| format!("https://logs.{region}.{suffix}"));
        let config = aws_sdk_dynamodb::config::Builder::from(aws.config());
        Self(Wire::of(LOGS, config.endpoint_url(endpoint)))
    }

    /// The errors that a stream tells, oldest first, at most so many.
    pub(crate) async fn item_errors(
        &self,
        group: &str,
        stream: &str,
        most: usize,
    ) -> Result<Vec<ItemError>, CallError> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut request =
                json!({"logGroupName": group, "logStreamName": stream, "startFromHead": true});
            if let (Some(token), Some(request)) = (&token, request.as_object_mut()) {
                request.insert("nextToken".to_owned(), json!(token));
            }
            let answer = self.0.insist("GetLogEvents", &request).await?;
            for event in answer["events"].as_array().into_iter().flatten() {
                if found.len() >= most {
                    return Ok(found);
                }
                found.push(item_error(event["message"].as_str().unwrap_or_default()));
            }
            // The end is told by the token that was sent coming back.
            match answer["nextForwardToken"].as_str() {
                Some(next) if token.as_deref() != Some(next) => token = Some(next.to_owned()),
                _ => break,
            }
        }
        Ok(found)
    }
}

/// `{"itemS3Pointer":{"bucket","key","itemIndex"},"importArn","errorMessages":[…]}`; other words are
/// kept as they are.
pub(crate) fn item_error(message: &str) -> ItemError {
    let event: Value = serde_json::from_str(message).unwrap_or_default();
    let pointer = &event["itemS3Pointer"];
    let mut reasons: Vec<String> = event["errorMessages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|reason| reason.as_str().map(str::to_owned))
        .collect();
    if reasons.is_empty() {
        reasons.push(message.chars().take(1000).collect());
    }
    let file = pointer["key"].as_str().map(str::to_owned);
    ItemError::new(file, pointer["itemIndex"].as_u64(), reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_name_the_item_and_the_reason() {
        let event = r#"{"itemS3Pointer":{"bucket":"b","key":"p/data/x.json","itemIndex":7},
            "importArn":"arn:…","errorMessages":["too big","no key"]}"#;
        let error = item_error(event);
        assert_eq!(error.file.as_deref(), Some("p/data/x.json"));
        assert_eq!(error.index, Some(7));
        assert_eq!(error.reasons, ["too big", "no key"]);
        assert_eq!(error.to_string(), "p/data/x.json, item 7: too big; no key");
        let other = item_error("something else");
        assert_eq!(other.to_string(), "something else");
    }
}
