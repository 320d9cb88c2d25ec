//! Stories: the built program, run as its users run it, over real sockets and real files.
//!
//! Each module follows one story. [`support`] builds and runs the program and speaks HTTP with it; it knows no type
//! of the program's own, so that what is checked is what a sender or a reader elsewhere gets. A story waits on
//! positions, on lines and on exits, each wait with a bound, and asserts no durations.

mod append;
mod append_cloudevents;
mod append_compressed;
mod append_msgpack;
mod append_refusals;
mod architecture;
mod bench;
mod checkpoint;
mod cold;
mod crash;
mod damaged_files;
mod demo;
mod export;
mod feed;
mod fixtures;
mod freshness;
mod full_disk;
mod history;
mod history_checks;
mod ingest;
mod operations;
mod payloads;
mod reads_from_terminal;
mod rebuild;
mod replay;
mod restart;
mod settings;
mod signals;
mod stalled_readers;
mod stats;
mod stats_checks;
mod status;
mod support;
mod tokens;
mod verify;
mod views;
mod waiting;
