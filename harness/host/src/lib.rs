//! The seam that services are written against: everything they may ask of the world.
//!
//! ```text
//!              service code ──▶ Env ──▶ dyn Host ──┬──▶ Real: loopback or network sockets, the operating system's clock
//!                                                  └──▶ a simulation: virtual sockets, virtual time, seeded draws
//! ```
//!
//! A [`Host`] listens, connects, spawns, reads the wall clock, draws random numbers, runs the blocking work of a
//! store, and says when the process is asked to stop. Monotonic time is not part of it: that is `tokio::time`
//! everywhere, which a simulation drives by pausing it. [`Env`] is the handle that code passes around.
//!
//! The modules in reading order: [`host`] (the trait), [`env`](mod@env) (the handle), [`draw`] (seeded random numbers),
//! [`real`] (the implementation on the operating system).
//!
//! ```
//! use squall_host::{Env, real::Real};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let env = Env::new(Real::new());
//! let mut listener = env.listen("127.0.0.1:0").await?;
//! let mut caller = env.connect(&listener.address()).await?;
//! let mut callee = listener.accept().await?;
//! caller.write_all(b"ping").await?;
//! let mut heard = [0; 4];
//! callee.read_exact(&mut heard).await?;
//! assert_eq!(&heard, b"ping");
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

pub mod host;
pub mod env;
pub mod draw;
pub mod real;

pub use env::Env;
pub use host::{BoxFuture, BoxStream, Host, Job, Listener, StoreThread, Stream};
