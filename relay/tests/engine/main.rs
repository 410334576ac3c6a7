//! The engine of the relay, on both databases: what is taken, what is owed, what is sent, and what is found out when something dies.
#![cfg(test)]

mod apart;
mod bulk;
mod cluster;
mod documented;
mod doors;
mod forged;
mod hours;
mod killed;
mod order;
mod receipts;
mod refused;
mod rig;
mod sink;
