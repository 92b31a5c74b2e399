//! The payment service from outside: through its real router on a real listener, and as a process.

mod process;
mod payments;
mod kills;
mod outages;
