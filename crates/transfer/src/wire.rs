//! DynamoDB's protocol as text, in and out.
//!
//! The SDK turns every value of every item into a typed one, in a map, before a request and after
//! an answer; that costs more than all the rest of a migration. What goes over the wire is the
//! very JSON that the encoders write. So the SDK finds the endpoint and the credentials, signs and
//! sends, and its two steps from values to text and back are replaced.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{Client, config::retry::RetryConfig, operation::batch_write_item};
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
use bytes::Bytes;

use crate::call::CallError;

/// How often a call that may be repeated is made, how long each may take, and how long we wait after
/// the first.
#[cfg(feature = "s3")]
const ATTEMPTS: u32 = 5;
#[cfg(feature = "s3")]
const TIMEOUT: Duration = Duration::from_secs(30);
#[cfg(feature = "s3")]
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A client that sends text. Does not retry: whoever calls knows better what may be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    client: Client,
    service: Service,
}

/// Whose words the text is in. Services of one protocol differ in little else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// What the names of operations follow.
    pub(crate) prefix: &'static str,
    pub(crate) signed_as: &'static str,
    pub(crate) content_type: &'static str,
}

const DYNAMODB: Service = Service {
    prefix: "DynamoDB_20120810",
    signed_as: "dynamodb",
    content_type: "application/x-amz-json-1.0",
};

impl Wire {
    pub(crate) fn new(config: aws_sdk_dynamodb::config::Builder) -> Self {
        Self::of(DYNAMODB, config)
    }

    /// For another service, whose endpoint the configuration has.
    pub(crate) fn of(service: Service, config: aws_sdk_dynamodb::config::Builder) -> Self {
        let config = config.retry_config(RetryConfig::disabled());
        Self { client: Client::from_conf(config.build()), service }
    }

    /// Calls an operation that may be repeated, again if that may help.
    #[cfg(feature = "s3")]
    pub(crate) async fn insist(
        &self,
        operation: &'static str,
        input: &serde_json::Value,
    ) -> Result<serde_json::Value, CallError> {
        let body = Bytes::from(input.to_string());
        let mut pause = FIRST_PAUSE;
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match self.call(operation, body.clone(), TIMEOUT).await {
                Ok(answer) => return serde_json::from_slice(&answer).map_err(CallError::network),
                Err(refusal) if left > 0 && refusal.error.is_retryable() => {
                    tokio::time::sleep(pause.mul_f64(fastrand::f64() + 0.5)).await;
                    pause *= 2;
                }
                Err(refusal) => return Err(refusal.error),
            }
        }
    }

    /// Calls an operation, such as `Scan`, with its input in JSON. What comes back is its output in
    /// JSON.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, Refusal> {
        let answer = Arc::new(Mutex::new(None));
        let service = self.service;
        let text = Text { service, operation, body, answer: Arc::clone(&answer) };
        // Which operation the SDK thinks it is makes no difference to how it signs and sends.
        let call = self.client.batch_write_item().customize().interceptor(text).send();
        match tokio::time::timeout(timeout, call).await {
            Err(_) => {
                let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                return Err(CallError::network(late).into());
            }
            Ok(Err(error)) => return Err(CallError::of(error).into()),
            Ok(Ok(_)) => {}
        }
        let taken = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match taken {
            Some((200, body)) => Ok(body),
            Some((status, body)) => Err(Refusal::parse(status, body)),
            None => Err(CallError::network("the answer was lost").into()),
        }
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: CallError,
    /// All that the service said: a failed condition tells which item is there.
    pub(crate) body: Bytes,
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self { error, body: Bytes::new() }
    }
}

impl Refusal {
    fn parse(status: u16, body: Bytes) -> Self {
        #[derive(Default, serde::Deserialize)]
        struct Words {
            #[serde(default, rename = "__type")]
            code: String,
            #[serde(default, alias = "Message")]
            message: String,
        }
        // Not DynamoDB's words, but those of a proxy, if they are no JSON.
        let words: Words = serde_json::from_slice(&body).unwrap_or_default();
        Self { error: CallError::answered(status, &words.code, &words.message), body }
    }
}

/// One call: its request, and its answer once there is one.
#[derive(Clone)]
struct Text {
    service: Service,
    operation: &'static str,
    body: Bytes,
    answer: Arc<Mutex<Option<(u16, Bytes)>>>,
}

impl fmt::Debug for Text {
    /// Never the items.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Intercept for Text {
    fn name(&self) -> &'static str {
        "Text"
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
        state.store_put(SigningName::from_static(self.service.signed_as));
        Ok(())
    }
}

impl SerializeRequest for Text {
    fn serialize_input(&self, _: Input, _: &mut ConfigBag) -> Result<HttpRequest, BoxError> {
        let mut request = HttpRequest::new(SdkBody::from(self.body.clone()));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        let Service { prefix, content_type, .. } = self.service;
        headers.try_insert("content-type", content_type)?;
        headers.try_insert("x-amz-target", format!("{prefix}.{}", self.operation))?;
        headers.try_insert("content-length", self.body.len().to_string())?;
        Ok(request)
    }
}

impl DeserializeResponse for Text {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<AnyError>> {
        let body = response.body().bytes().map(Bytes::copy_from_slice).unwrap_or_default();
        let answer = (response.status().as_u16(), body);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        // An error, too, is an answer: it is told apart by who called.
        Ok(Output::erase(batch_write_item::BatchWriteItemOutput::builder().build()))
    }
}
