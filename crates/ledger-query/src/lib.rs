//! The read side over HTTP: the two documented endpoints, from the views alone.
