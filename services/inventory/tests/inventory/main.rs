//! The inventory service from outside: through its real router on a real listener, and as a process.

mod process;
mod stock;
mod events;
mod kills;
mod outages;
