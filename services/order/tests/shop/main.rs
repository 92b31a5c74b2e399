//! The service over HTTP: with the real inventory and payment, and with a stub that fails at will.

mod database;
mod kills;
mod outages;
mod placing;
mod shop;
mod stub;
