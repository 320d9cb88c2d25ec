//! The projections: pure folds of events into rows, and the loop that runs them.
