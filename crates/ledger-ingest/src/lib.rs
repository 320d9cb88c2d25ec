//! The write side: parse, validate and append events, as a library and over HTTP.
