//! Every check on records written by hand: held, violated, inconclusive, and each sabotage of a held one caught.

mod story;
mod shop;
mod sim;

mod gate;
mod latency;
mod saga;
mod breaker;
mod breaker_laws;
mod attempts;
mod invariant;
mod always_on;
mod contract;
mod resilience;
mod exercises;
mod sabotage;
mod rendering;
