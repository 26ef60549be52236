//! One thread that starts every child and lives as long as the program.
//!
//! Linux sends the parent-death signal when the *thread* that started a child ends. Threads of an
//! event loop come and go; this one does not.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
    thread,
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// Children waiting to be started.
const QUEUE: usize = 8;

struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts `command`, which belongs to the runtime of the caller.
pub(crate) async fn start(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the starting thread is gone");
    let (reply, answer) = oneshot::channel();
    let order = Order {
        command,
        runtime: Handle::current(),
        reply,
    };
    let orders = orders().ok_or_else(gone)?;
    orders.send(order).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

fn orders() -> Option<&'static mpsc::Sender<Order>> {
    static ORDERS: OnceLock<Option<mpsc::Sender<Order>>> = OnceLock::new();
    ORDERS
        .get_or_init(|| {
            let (orders, mut inbox) = mpsc::channel(QUEUE);
            thread::Builder::new()
                .name("sandbox-start".into())
                .spawn(move || {
                    while let Some(order) = inbox.blocking_recv() {
                        // A runtime that shuts down meanwhile may panic; later orders must not suffer.
                        let _ = catch_unwind(AssertUnwindSafe(|| carry_out(order)));
                    }
                })
                .ok()?;
            Some(orders)
        })
        .as_ref()
}

fn carry_out(order: Order) {
    let Order {
        mut command,
        runtime,
        reply,
    } = order;
    if reply.is_closed() {
        return;
    }
    let _context = runtime.enter();
    // When nobody waits any more the child is dropped, and with that killed.
    let _ = reply.send(command.spawn());
}
