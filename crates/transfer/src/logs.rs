//! The log of an import: which items of which file DynamoDB refused, and why.
//!
//! Two calls of CloudWatch Logs are all that is needed of it. Its protocol is DynamoDB's, so the
//! SDK's DynamoDB client signs and sends them, under the other service's name.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeSerializationInterceptorContextMut, Error as AnyError, Input, Output},
        },
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        runtime_components::RuntimeComponents,
        ser_de::{
            DeserializeResponse, SerializeRequest, SharedRequestSerializer,
            SharedResponseDeserializer,
        },
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use aws_types::SigningName;
use serde_json::{Value, json};

use crate::{Aws, call::CallError, import_table::ItemError};

/// CloudWatch Logs of the region.
#[derive(Debug)]
pub(crate) struct Logs {
    client: Client,
}

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
        let config =
            aws_sdk_dynamodb::config::Builder::from(aws.config()).endpoint_url(endpoint).build();
        Self { client: Client::from_conf(config) }
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
        loop {
            let mut request =
                json!({"logGroupName": group, "logStreamName": stream, "startFromHead": true});
            if let (Some(token), Some(request)) = (&token, request.as_object_mut()) {
                request.insert("nextToken".to_owned(), json!(token));
            }
            let answer = self.call("GetLogEvents", &request).await?;
            for event in answer["events"].as_array().into_iter().flatten() {
                if found.len() >= most {
                    return Ok(found);
                }
                found.push(item_error(event["message"].as_str().unwrap_or_default()));
            }
            // The end is told by the token that was sent coming back.
            match answer["nextForwardToken"].as_str() {
                Some(next) if token.as_deref() != Some(next) => token = Some(next.to_owned()),
                _ => return Ok(found),
            }
        }
    }

    async fn call(&self, operation: &'static str, body: &Value) -> Result<Value, CallError> {
        let answer = Arc::new(Mutex::new(None));
        let call = Call { operation, body: body.to_string(), answer: Arc::clone(&answer) };
        let sent = self.client.describe_limits().customize().interceptor(call).send().await;
        sent.map_err(CallError::of)?;
        let taken = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (status, body) = taken.ok_or_else(|| CallError::network("the answer was lost"))?;
        // Not the service's words, but those of a proxy, if they are no JSON.
        let words: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status == 200 {
            return Ok(words);
        }
        let message = words["message"].as_str().or(words["Message"].as_str()).unwrap_or_default();
        Err(CallError::answered(status, words["__type"].as_str().unwrap_or_default(), message))
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
    ItemError {
        file: pointer["key"].as_str().map(str::to_owned),
        index: pointer["itemIndex"].as_u64(),
        reasons,
    }
}

/// One call: its request, and its answer once there is one.
#[derive(Clone)]
struct Call {
    operation: &'static str,
    body: String,
    answer: Arc<Mutex<Option<(u16, Vec<u8>)>>>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Intercept for Call {
    fn name(&self) -> &'static str {
        "Call"
    }

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(SharedRequestSerializer::new(self.clone()));
        state.store_put(SharedResponseDeserializer::new(self.clone()));
        state.store_put(SigningName::from_static("logs"));
        Ok(())
    }
}

impl SerializeRequest for Call {
    fn serialize_input(&self, _: Input, _: &mut ConfigBag) -> Result<HttpRequest, BoxError> {
        let mut request = HttpRequest::new(SdkBody::from(self.body.clone()));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.try_insert("content-type", "application/x-amz-json-1.1")?;
        headers.try_insert("x-amz-target", format!("Logs_20140328.{}", self.operation))?;
        headers.try_insert("content-length", self.body.len().to_string())?;
        Ok(request)
    }
}

impl DeserializeResponse for Call {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<AnyError>> {
        let body = response.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
        let answer = (response.status().as_u16(), body);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        let output = aws_sdk_dynamodb::operation::describe_limits::DescribeLimitsOutput::builder();
        Ok(Output::erase(output.build()))
    }
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
