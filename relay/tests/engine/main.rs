//! The relay on both databases: what is taken, what is owed, what is sent, what is found out when something dies, and what its pages
//! let whom do.
#![cfg(test)]

mod apart;
mod beside;
mod browser;
mod bulk;
mod cluster;
mod counties;
mod deploy;
mod documented;
mod doors;
mod forged;
mod gate;
mod hours;
mod killed;
mod mail;
mod office;
mod order;
mod pages;
mod program;
mod reach;
mod receipts;
mod refused;
mod replies;
mod rig;
mod sink;
