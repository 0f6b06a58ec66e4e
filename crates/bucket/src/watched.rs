//! Where a bucket really is: answers tell it, in a header that the store does not hand on.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

/// Looks at every answer, because only headers tell where a bucket is when it is elsewhere.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) home: Arc<OnceLock<String>>,
}

#[derive(Debug)]
struct WatchedClient {
    inner: HttpClient,
    home: Arc<OnceLock<String>>,
}

impl HttpConnector for Watched {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(WatchedClient { inner, home: Arc::clone(&self.home) }))
    }
}

impl HttpService for WatchedClient {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.inner.execute(request).await?;
            if answer.status().is_redirection() || answer.status().is_client_error() {
                let told = answer.headers().get("x-amz-bucket-region");
                if let Some(home) = told.and_then(|home| home.to_str().ok()) {
                    let _ = self.home.set(home.to_owned());
                }
            }
            Ok(answer)
        })
    }
}
