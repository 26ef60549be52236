//! From the name of a host to its addresses.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
};

use tokio::sync::Semaphore;

/// Questions to the system at the same time. One that takes longer than its request goes on in the
/// background, so they are counted apart.
const MAX_QUESTIONS: usize = 8;

/// The addresses of a host, to come.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Knows the addresses of hosts. The gate asks once for every connection and checks every answer.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host named in lower-case ASCII.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// Asks the operating system.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    questions: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let question = Arc::clone(&self.questions)
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            let host = host.to_owned();
            let asking = tokio::task::spawn_blocking(move || {
                let _question = question;
                let addresses = (host.as_str(), 0).to_socket_addrs()?;
                Ok(addresses.map(|address| address.ip()).collect())
            });
            asking.await.map_err(io::Error::other)?
        })
    }
}
