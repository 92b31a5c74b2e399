//! The store on a PostgreSQL server: its transactions, what it rides out, what it says when it cannot.

mod support;
mod transactions;
mod outages;
mod refusals;
