//! The rows of the views, their layout in sled, the readers and the one writer.
